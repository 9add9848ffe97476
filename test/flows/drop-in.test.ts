/** Configurations of uWSGI and Gunicorn as people have them, served as they are. */
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { uwsgiSpeech } from '../gateways/front/front.ts'
import { atRoot, type Case, configuration, GUNICORN, UWSGI, writeCase } from '../import/cases.ts'
import { until } from '../supervisor/site.ts'
import { Portico, portico } from './support/portico.ts'

/** Debian's Python has the frameworks. */
const PATH = `/usr/bin:${process.env.PATH}`

function environment(one: Case, root: string): Record<string, string> {
  const own = Object.entries(one.env ?? {}).map(([key, value]) => [key, atRoot(value, root)])
  return { PATH, ...Object.fromEntries(own) }
}

/** The files have to be there, with their folder in them, before it is started. */
function serve(
  one: Case,
  file: string,
  text: string,
  command: readonly string[],
): Promise<Portico> {
  const prepare = (folder: string): Record<string, string> => {
    writeCase(one, folder, { [file]: text })
    return environment(one, folder)
  }
  return Portico.serve({}, { command, prepare })
}

/** On a connection of its own: a kept one would hold up the end of the site. */
async function get(url: URL): Promise<string> {
  const [response] = await once(request(url, { agent: false }).end(), 'response')
  const chunks: Buffer[] = []
  for await (const chunk of response as IncomingMessage) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

/** The answer's body: from the first listener, whatever it speaks. */
async function ask(site: Portico, path: string): Promise<string> {
  const [url = ''] = site.urls
  if (url.startsWith('http:')) return get(new URL(path, url))
  const where = url.replace(/^uwsgi:\/\//, '').replace(/\/$/, '')
  const [host = '', port = ''] = where.split(':')
  const socket = where.startsWith('unix:')
    ? connect(where.slice('unix:'.length))
    : connect(Number(port), host)
  const [plain = '', query = ''] = path.split('?')
  const variables = { PATH_INFO: plain, QUERY_STRING: query, SERVER_NAME: 'a', SERVER_PORT: '80' }
  socket.end(uwsgiSpeech.request({ path, variables }))
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return uwsgiSpeech.read(Buffer.concat(chunks)).body.toString()
}

/** TERM may mean something else to it. */
async function end(site: Portico, signal: NodeJS.Signals): Promise<void> {
  site.signal(signal)
  expect(await site.exited).toMatchObject({ code: 0 })
}

async function answers(site: Portico, one: Case): Promise<void> {
  await site.logged(/^serving /)
  for (const [path, expected] of Object.entries(one.asks)) {
    expect(await ask(site, path)).toContain(atRoot(expected, site.folder))
  }
}

describe('uWSGI', () => {
  it.each(Object.keys(UWSGI))('%s.ini is served', async (name) => {
    const one = UWSGI[name]!
    const text = configuration('uwsgi', name, '.ini')
    await using site = await serve(
      one,
      `${name}.ini`,
      text,
      one.command ?? ['serve', `${name}.ini`],
    )
    await answers(site, one)
    await end(site, 'SIGINT')
  })
})

/** In this order, with one worker and one request. */
const HOOKS = [
  'on_starting',
  'when_ready',
  'pre_fork 1',
  'post_fork 1',
  'post_worker_init',
  'pre_request GET /a b=c',
  'post_request 200 OK',
  'worker_exit 1',
  'child_exit 1',
  'on_exit',
]

describe('Gunicorn', () => {
  it.each(Object.keys(GUNICORN))('%s.conf.py is served', async (name) => {
    const one = GUNICORN[name]!
    const text = configuration('gunicorn', name, '.conf.py')
    await using site = await serve(one, 'gunicorn.conf.py', text, ['gunicorn'])
    await answers(site, one)
    await end(site, 'SIGTERM')
    if (name !== 'hooks') return
    const said = readFileSync(join(site.folder, 'hooks.log'), 'utf8').trim().split('\n')
    expect(said).toEqual(HOOKS)
  })
})

/** Without `preload_app` the application is imported after the fork. */
const LAZY = `
bind = "127.0.0.1:0"
wsgi_app = "app"
def when_ready(server):
    raise ValueError("a hook that fails when ready")
def post_fork(server, worker):
    import builtins
    builtins.patched = "patched"
`

const ABORTS = `
import time
bind = "127.0.0.1:0"
timeout = 1
preload_app = True
wsgi_app = "slow"
def worker_abort(worker):
    worker.log.info("worker_abort after %d requests", worker.nr)
def pre_request(worker, req):
    if req.path == "/bad":
        raise ValueError("a hook that fails")
def post_request(worker, req):
    raise ValueError("a hook that fails afterwards")
`

describe('hooks', () => {
  it('run after the fork and before the import of an application that is not preloaded', async () => {
    const app = `found = patched
def application(environ, start_response):
    start_response("200 OK", [])
    return [found.encode()]
`
    const files = { 'app.py': app, 'gunicorn.conf.py': LAZY }
    await using site = await Portico.serve(files, { command: ['gunicorn'], env: { PATH } })
    expect(await ask(site, '/')).toBe('patched')
    await site.logged(/a hook that fails when ready/)
  })

  it('run before a worker is killed at its deadline; one that fails fails its request alone', async () => {
    const slow = `import time
def application(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(20)
    start_response("200 OK", [])
    return [b"x"]
`
    const files = { 'slow.py': slow, 'gunicorn.conf.py': ABORTS }
    await using site = await Portico.serve(files, { command: ['gunicorn'], env: { PATH } })
    expect(await ask(site, '/')).toBe('x')
    await site.logged(/a hook that fails afterwards/)
    expect(await ask(site, '/bad')).not.toBe('x')
    await ask(site, '/slow')
    await site.logged(/worker_abort after 3 requests/)
    expect(await ask(site, '/')).toBe('x')
  })
})

const PLAIN = { 'app.py': 'def application(e, s):\n    s("200 OK", [])\n    return [b"x"]\n' }

describe('signals and letters', () => {
  it("mean what they mean to uWSGI: TERM reloads, the FIFO's letters act", async () => {
    const ini = `[uwsgi]
http-socket = 127.0.0.1:0
wsgi-file = app.py
workers = 2
master-fifo = fifo
pidfile = site.pid
`
    await using site = await Portico.serve(
      { ...PLAIN, 'app.ini': ini },
      { target: 'app.ini', env: { PATH } },
    )
    await site.settled()
    site.signal('SIGTERM')
    await site.logged(/^generation 1 has finished/)
    const fifo = join(site.folder, 'fifo')
    writeFileSync(fifo, 's')
    await site.logged(/^figures of app: /)
    writeFileSync(fifo, 'c+')
    await site.logged(/^reloading the applications one worker at a time/)
    await site.logged(/^workers of app: 2 → 3/)
    writeFileSync(fifo, 'p\n?')
    await site.logged(/^p in .*fifo: Pauses uWSGI. Not supported/)
    await site.logged(/the letter "\?" means nothing/)
    site.signal('SIGUSR1')
    writeFileSync(fifo, 'q')
    expect(await site.exited).toMatchObject({ code: 0 })
    expect(() => readFileSync(fifo)).toThrow(/ENOENT/)
  })

  it('mean what they mean to Gunicorn: TTIN and TTOU change the number of workers', async () => {
    await using site = await Portico.serve(PLAIN, {
      command: ['gunicorn', '-b', '127.0.0.1:0', '-w', '2', 'app'],
      env: { PATH },
    })
    await site.logged(/^serving /)
    site.signal('SIGTTIN')
    await site.logged(/^workers of app: 2 → 3/)
    site.signal('SIGTTOU')
    await site.logged(/^workers of app: 3 → 2/)
    site.signal('SIGUSR2')
    await site.logged(/Starts a new Gunicorn beside the old. Not supported/)
    site.signal('SIGQUIT')
    expect(await site.exited).toMatchObject({ code: 0 })
  })
})

describe('the command line', () => {
  it("is uWSGI's", async () => {
    await using site = await Portico.serve(PLAIN, {
      command: 'uwsgi --http 127.0.0.1:0 --wsgi-file app.py -Mp 2 --die-on-term'.split(' '),
      env: { PATH },
    })
    expect(await ask(site, '/')).toBe('x')
    await until('the workers', async () => (await site.logged(/^serving /)) !== undefined)
  })

  it('goes to the background where it is told to, and logs to the file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portico-daemon-'))
    let pid = 0
    try {
      writeFileSync(join(folder, 'app.py'), PLAIN['app.py'])
      const args =
        '--http 127.0.0.1:0 --wsgi-file app.py -d all.log --pidfile site.pid --die-on-term'
      const env = { ...process.env, PATH }
      const { code, out, err } = await portico(['uwsgi', ...args.split(' ')], { cwd: folder, env })
      expect({ code, out, err }).toEqual({ code: 0, out: '', err: '' })
      const read = (name: string): string => {
        try {
          return readFileSync(join(folder, name), 'utf8')
        } catch {
          return ''
        }
      }
      pid = Number(await until('its pid', () => read('site.pid') || undefined))
      expect(pid).toBeGreaterThan(1)
      const url = await until('its address', () => /http:\S+\/(?=")/.exec(read('all.log'))?.[0])
      expect(await get(new URL(url))).toBe('x')
      process.kill(pid)
      await until('its end', () => read('site.pid') === '')
      pid = 0
    } finally {
      if (pid > 1) process.kill(pid, 'SIGKILL')
      rmSync(folder, { recursive: true })
    }
  })

  it('says what it does not know', async () => {
    const uwsgi = await portico(['uwsgi', '--procceses', '4'])
    expect(uwsgi).toMatchObject({
      code: 2,
      err: expect.stringContaining('did you mean --processes?'),
    })
    const gunicorn = await portico(['gunicorn', '--wokers', '4', 'app'], {
      env: { ...process.env, PATH },
    })
    expect(gunicorn).toMatchObject({
      code: 1,
      err: expect.stringContaining('did you mean --workers?'),
    })
    const tls = await portico(['gunicorn', '--certfile', 'a.pem', 'app'], {
      env: { ...process.env, PATH },
    })
    expect(tls).toMatchObject({ code: 1, err: expect.stringContaining('a.pem: no such file') })
  })
})
