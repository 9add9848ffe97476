/** An application that was written for uWSGI, with one configuration: under Debian's uWSGI and under Portico. */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Backend } from './support/backends.ts'
import { APPS, Portico } from './support/portico.ts'
import { ask } from './support/visitor.ts'

const APP = readFileSync(join(APPS, 'uwsgi_features.py'), 'utf8')
const INI = `[uwsgi]
plugin = python3
http-socket = app.sock
wsgi-file = app.py
master = true
enable-threads = true
need-app = true
die-on-term = true
processes = 2
mules = 2
spooler = tasks
spooler-frequency = 1
cache2 = name=default,items=100
greeting = hello world
empty
`
/** Debian's Python. */
const PATH = `/usr/bin:${process.env.PATH}`

let theirs: Backend
let ours: Portico

async function answer(folder: string, path: string): Promise<unknown> {
  return JSON.parse((await ask(join(folder, 'app.sock'), path)).text)
}

/** What has happened once all of `expected` has, without what only happens sometimes. */
async function events(folder: string, expected: readonly string[]): Promise<string[]> {
  return until(
    `events: ${expected}`,
    async () => {
      const found = (await answer(folder, '/events')) as string[]
      return expected.every((each) => found.includes(each)) ? found : undefined
    },
    20_000,
  )
}

beforeAll(async () => {
  theirs = new Backend(() => ['uwsgi', 'app.ini'], ['app.sock'])
  mkdirSync(theirs.path('tasks'))
  for (const [name, text] of Object.entries({ 'app.ini': INI, 'app.py': APP, watched: '' }))
    theirs.write(name, text)
  const [, site] = await Promise.all([
    theirs.start(),
    Portico.serve(
      { 'app.ini': INI, 'app.py': APP, watched: '' },
      { target: 'app.ini', env: { PATH } },
    ),
  ])
  ours = site
})

afterAll(async () => {
  await ours?.[Symbol.asyncDispose]()
  await theirs?.[Symbol.asyncDispose]()
})

/** Of both, in this order. */
function both<Result>(ask: (folder: string) => Promise<Result>): Promise<[Result, Result]> {
  return Promise.all([ask(ours.folder), ask(theirs.folder)])
}

const EXPECTED = [
  'import 0 True',
  'postfork 1 0 None True',
  'postfork 2 0 None True',
  'postfork 0 1 None True',
  'postfork 0 2 None True',
  'postfork 0 0 True True',
  'postfork of 2',
  'timer 0',
  'rbtimer 40',
  'timer of worker 1 41',
  'timer of worker 2 41',
  'changed 44',
  'signal 17',
  'signal 18 1',
  'signal 18 2',
  "mail [('n', '1'), ('to', 'me'), ('ud_spool_func', 'mail'), ('ud_spool_ret', '-2')] True 0",
  "mail [('body', 'a body'), ('to', 'you'), ('ud_spool_func', 'mail'), ('ud_spool_ret', '-2')] True 0",
  "add 3 {'key': [3]}",
  'stubborn again',
  'stubborn done',
  'mule 1',
  "message 2 b'hello'",
  'far 1 7 True',
  'thread x',
  'after a request',
].sort()

describe('under both', () => {
  test('facts and options are the same', async () => {
    const [found, expected] = await both((folder) => answer(folder, '/facts'))
    expect(found).toEqual(expected)
  })

  test('the cache and locks are the same', async () => {
    const [found, expected] = await both((folder) => answer(folder, '/cache'))
    expect(found).toEqual(expected)
  })

  test('what runs beside requests has run', async () => {
    // Mules and the spooler take their time to begin.
    await both((folder) =>
      events(folder, ['postfork 0 0 True True', 'mule 1', 'postfork 0 2 None True']),
    )
    const [found, expected] = await both((folder) => answer(folder, '/put'))
    expect(found).toEqual(expected)
    const [here, there] = await both((folder) => events(folder, EXPECTED))
    expect(there).toEqual(EXPECTED)
    expect(here).toEqual(EXPECTED)
  })

  test('a request that takes longer than @harakiri allows ends with its worker', async () => {
    const [here, there] = await both((folder) =>
      ask(join(folder, 'app.sock'), '/slow').then(
        ({ status }) => status,
        () => 'no answer',
      ),
    )
    expect(there).toBe('no answer')
    expect(here).not.toBe(200)
    await ours.logged(/in slow$/)
    await both((folder) => answer(folder, '/events'))
  })

  test('the parent and every worker call atexit', async () => {
    ours.signal('SIGTERM')
    expect(await ours.exited).toMatchObject({ code: 0 })
    const lines = readFileSync(join(ours.folder, 'events'), 'utf8').split('\n')
    expect(lines.filter((line) => line.startsWith('exit of')).sort()).toEqual([
      ...['exit of 0', 'exit of 1', 'exit of 2'],
    ])
    // The real one leaves some out when it stops.
    await theirs.kill('SIGTERM')
    expect(readFileSync(theirs.path('events'), 'utf8')).toMatch(/^exit of [0-2]$/m)
  })
})

const LAZY = `
import time
import uwsgi

first = uwsgi.worker_id()
forked = []
uwsgi.post_fork_hook = lambda: forked.append(uwsgi.worker_id())

def application(environ, start_response):
    # So that several requests need both workers.
    time.sleep(0.05)
    start_response("200 OK", [])
    return [repr((first, uwsgi.worker_id(), forked, uwsgi.opt["lazy-apps"])).encode()]
`

describe('under Portico', () => {
  test('a lazy application knows its number while each worker imports it, also after a reload', async () => {
    const ini = `[uwsgi]\nhttp-socket = app.sock\nwsgi-file = app.py\nprocesses = 2\nlazy-apps = true\ndie-on-term = true\n`
    await using site = await Portico.serve(
      { 'app.ini': ini, 'app.py': LAZY },
      { target: 'app.ini', env: { PATH } },
    )
    const socket = join(site.folder, 'app.sock')
    const numbers = async (): Promise<void> => {
      const found = new Set<string>()
      await until('both workers', async () => {
        const texts = await Promise.all(
          [1, 2, 3, 4].map(() => ask(socket, '/', { fields: { Connection: 'close' } })),
        )
        for (const { text } of texts) found.add(text)
        return found.size === 2
      })
      expect([...found].sort()).toEqual(["(1, 1, [1], b'true')", "(2, 2, [2], b'true')"])
    }
    await numbers()
    site.signal('SIGHUP')
    await site.logged(/^generation 1 has finished/)
    await numbers()
  })
})
