/** An application that does not load: others on the site do not notice, and mending it is enough. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Load } from './support/load.ts'
import { Portico, PYTHON } from './support/portico.ts'
import { ask } from './support/visitor.ts'

const SITE = `
listen: "127.0.0.1:0"
hosts:
  shop.example:
    /: { app: shop }
  blog.example:
    /: { app: blog }
    /static/: { files: ./public }
apps:
  shop: { python: shop, interpreter: ${PYTHON}, workers: 1 }
  blog: { python: blog, interpreter: ${PYTHON}, workers: 1 }
`

const app = (body: string): string => `
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "${body.length}")])
    return [b"${body}"]
`

const BROKEN = 'import json\n\nPASSWORD = json.loads("{")["password"]\n'
const FILES = {
  'site.yaml': SITE,
  'shop.py': BROKEN,
  'blog.py': app('blog'),
  'public/a.txt': 'a file',
}

describe.each([
  [false, []],
  [true, ['--dev']],
] as const)('--dev %s', (dev, args) => {
  let portico: Portico
  beforeEach(async () => {
    portico = await Portico.serve(FILES, { args })
  })
  afterEach(() => portico[Symbol.asyncDispose]())

  const get = async (host: string, path = '/', accept = 'text/html') => {
    const { status, text } = await ask(portico.port, path, {
      fields: { Host: host, Accept: accept },
    })
    return { status, text }
  }

  test('its traceback in the log, on the page only with --dev; mended, it works', async () => {
    const failure = await portico.logged(/application shop did not load/)
    expect(failure.level).toBe('error')
    expect(failure.message).toMatch(/File ".*shop\.py", line 3, in <module>[\s\S]*JSONDecodeError/)
    expect(failure.message).not.toContain('portico_worker')

    const page = await get('shop.example')
    expect(page.status).toBe(500)
    expect(page.text.includes('JSONDecodeError')).toBe(dev)
    expect(page.text.includes('shop.py')).toBe(dev)
    expect(await get('blog.example')).toEqual({ status: 200, text: 'blog' })
    expect(await get('blog.example', '/static/a.txt')).toEqual({ status: 200, text: 'a file' })

    // Still broken in the same way: the site reloads all the same, for the sake of the others.
    portico.write('blog.py', app('blog 2'))
    expect(await portico.run('reload')).toMatchObject({ code: 0 })
    expect((await get('shop.example')).status).toBe(500)
    expect(await get('blog.example')).toEqual({ status: 200, text: 'blog 2' })

    portico.write('shop.py', app('mended'))
    expect(await portico.run('reload')).toMatchObject({ code: 0 })
    expect(await get('shop.example')).toEqual({ status: 200, text: 'mended' })
    expect((await portico.status()).apps).toMatchObject({ shop: { state: 'running' } })
  })

  test('an error in a request: its traceback in the log, on the page only with --dev', async () => {
    portico.write('shop.py', 'def application(environ, start_response):\n    return 1 / 0\n')
    expect(await portico.run('reload')).toMatchObject({ code: 0 })
    const page = await get('shop.example')
    expect(page.status).toBe(500)
    expect(page.text.includes('ZeroDivisionError')).toBe(dev)
    await portico.logged(/ZeroDivisionError/)
    await portico.logged(/shop\.py", line 2, in application/)
  })
})

test('others are answered, all and quickly, while an application keeps failing', async () => {
  await using portico = await Portico.serve(FILES)
  portico.write(
    'shop.py',
    'import os\n\ndef application(environ, start_response):\n    os._exit(1)\n',
  )
  expect(await portico.run('reload')).toMatchObject({ code: 0 })
  await using load = new Load(portico.port, {
    kept: 2,
    fresh: 1,
    request: () => 'GET / HTTP/1.1\r\nHost: blog.example\r\n\r\n',
  })
  for (let i = 0; i < 6; i++) {
    expect((await ask(portico.port, '/', { fields: { Host: 'shop.example' } })).status).toBe(502)
  }
  const { lost, statuses, slowestMs } = await load.stop()
  expect(lost).toEqual([])
  expect(Object.keys(statuses)).toEqual(['200'])
  expect(slowestMs).toBeLessThan(1_000)
}, 30_000)

test('two sites, one broken: the other is untouched, also when the broken one is killed', async () => {
  await using good = await Portico.serve({ ...FILES, 'shop.py': app('shop') })
  await using bad = await Portico.serve(FILES)
  await using load = new Load(good.port, {
    kept: 2,
    fresh: 1,
    request: () => 'GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n',
  })
  expect((await ask(bad.port, '/', { fields: { Host: 'shop.example' } })).status).toBe(500)
  expect(await bad.run('reload')).toMatchObject({ code: 0 })
  expect(await bad.run('stop')).toMatchObject({ code: 0 })
  expect(await bad.exited).toEqual({ code: 0, signal: null })
  expect(bad.processes()).toEqual([])
  const { lost, statuses } = await load.stop()
  expect(lost).toEqual([])
  expect(Object.keys(statuses)).toEqual(['200'])
  expect(good.log.filter(({ level }) => level === 'error')).toEqual([])
})
