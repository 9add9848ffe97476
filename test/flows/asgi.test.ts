/** ASGI behind the whole server: a bare application, and Debian's Django, Starlette and FastAPI. */
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { keepsContract } from './support/contract.ts'
import { Load } from './support/load.ts'
import { APPS, Portico, PYTHON } from './support/portico.ts'
import { kill } from './support/processes.ts'
import { talk } from './support/talk.ts'
import { type Ask, ask, Visitor } from './support/visitor.ts'

const BARE: string = new URL('../apps', import.meta.url).pathname

const MB = 1_048_576

describe('a bare application', () => {
  let portico: Portico
  beforeAll(async () => {
    portico = await Portico.serve({
      'site.yaml': `
listen: "127.0.0.1:0"
threads: 2
routes: { /: { app: bare }, /mounted/: { app: bare } }
apps:
  bare: { python: "asgi_cases:application", dir: ${BARE}, interpreter: ${PYTHON}, workers: 1, deadline: 2s }
`,
    })
    await portico.settled()
  }, 60_000)
  afterAll(() => portico[Symbol.asyncDispose]())

  const get = (path: string, more?: Ask) => ask(portico.port, path, more)
  const ws = (path: string, protocols?: string[]) =>
    talk(`ws://127.0.0.1:${portico.port}${path}`, protocols)
  const noted = async () => JSON.parse((await get('/seen')).text)

  test('gets its scope', async () => {
    const scope = JSON.parse((await get('/mounted/sc%6Fpe?a=%20', { body: 'x' })).text)
    expect(scope).toMatchObject({
      type: 'http',
      method: 'POST',
      path: '/mounted/scope',
      root_path: '/mounted',
      raw_path: { bytes: '/mounted/sc%6Fpe' },
      query_string: { bytes: 'a=%20' },
      state: { started: true },
      task: true,
    })
    expect(scope.headers).toContainEqual([{ bytes: 'content-length' }, { bytes: '1' }])
  })

  test('takes large bodies, streams, and files', async () => {
    const body = randomBytes(5 * MB)
    expect((await get('/digest', { body })).text).toMatch(/^5242880 /)
    const stream = await get('/stream?size=5000000')
    expect(stream.body).toHaveLength(5_000_000)
    const steps = await get('/steps')
    expect(steps.text).toBe('0;1;2;')
    expect(steps.chunks[2]! - steps.chunks[0]!).toBeGreaterThan(60)
    const path = portico.write('large.bin', randomBytes(MB))
    expect((await get(`/file?path=${path}`)).body).toHaveLength(MB)
    expect((await get('/headers')).fields).toMatchObject({ 'set-cookie': 'a=1\nb=2' })
  })

  test('reads a body while it still comes', async () => {
    using visitor = await Visitor.to(portico.port)
    visitor.send(
      'POST /first-piece HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n',
    )
    const first = await visitor.read()
    expect(String(first)).toContain('one')
    visitor.send('3\r\ntwo\r\n0\r\n\r\n')
    let rest = ''
    while (!rest.includes('\r\n0\r\n\r\n')) rest += String(await visitor.read())
    expect(rest).toContain('two')
  })

  test('sends early hints and trailers', async () => {
    expect(await get('/hints')).toMatchObject({ interim: [103], text: 'hinted' })
    using visitor = await Visitor.to(portico.port)
    visitor.send('GET /trailers HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n')
    let told = ''
    while (!told.endsWith('\r\n\r\n') || !told.includes('0\r\n'))
      told += String(await visitor.read())
    expect(told).toMatch(/\r\n0\r\nx-sum: 1\r\nx-end: 2\r\n\r\n$/)
  })

  test('hears of a visitor who leaves', async () => {
    await noted()
    const visitor = await Visitor.to(portico.port)
    visitor.send('GET /disconnect-stream HTTP/1.1\r\nHost: a\r\n\r\n')
    await visitor.read()
    visitor.leave()
    await until('the application to hear of it', async () => (await noted()).includes('OSError'))
  })

  test('goes on in the background when it has answered', async () => {
    const began = performance.now()
    expect((await get('/after?seconds=0.3')).text).toBe('now')
    expect(performance.now() - began).toBeLessThan(250)
    await until('the background task', async () => (await noted()).includes('background'))
  })

  test('has its failures logged, and goes on', async () => {
    expect((await get('/raises')).status).toBe(500)
    await portico.logged(/ValueError: wrong/)
    expect((await get('/context')).text).toBe('clean')
  })

  test('is given up at its deadline, which harms nobody else', async () => {
    const others = get('/sleep?seconds=2.5'.replace('2.5', '1.5'))
    const late = await get('/deaf')
    expect(late.status).toBe(504)
    expect((await others).text).toBe('slept')
    await portico.logged(/cancelled 1 s after its deadline/)
    expect((await portico.status()).apps.bare?.restarts).toBe(0)
  })

  test('has hundreds of requests in one worker', async () => {
    const began = performance.now()
    const answers = await Promise.all(Array.from({ length: 400 }, () => get('/sleep?seconds=0.5')))
    expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(['slept']))
    expect(performance.now() - began).toBeLessThan(10_000)
  })

  test('speaks WebSocket', async () => {
    const { socket, messages, closed, heard } = await ws('/echo', ['chat', 'other'])
    expect(socket.protocol).toBe('chat')
    socket.send('grüß')
    socket.send(Buffer.from([0, 255]))
    await heard(2)
    expect(messages).toEqual(['grüß', Buffer.from([0, 255])])
    await noted()
    socket.close(4321, 'enough')
    expect(await closed).toMatchObject({ code: 4321 })
    await until('the application to hear of it', async () =>
      JSON.stringify(await noted()).includes('[4321,"enough"]'),
    )
    await expect(ws('/refuse')).rejects.toThrow('refused')
    expect(await (await ws('/close')).closed).toMatchObject({ code: 4001 })
    expect(await (await ws('/returns')).closed).toMatchObject({ code: 1000 })
    expect(await (await ws('/raises')).closed).toMatchObject({ code: 1011 })
  })

  test('10,000 messages each way', async () => {
    const { socket, messages, heard } = await ws('/echo')
    const began = performance.now()
    for (let n = 0; n < 10_000; n++) socket.send(`${n}`)
    await heard(10_000)
    expect(performance.now() - began).toBeLessThan(10_000)
    expect(messages).toEqual(Array.from({ length: 10_000 }, (_, n) => `${n}`))
    socket.close()
    const flood = await ws('/flood?count=10000&size=1000')
    await flood.heard(10_000)
    expect(flood.messages.every((message) => message.length === 1_000)).toBe(true)
  })
})

describe('frameworks', () => {
  const names = ['django', 'starlette', 'fastapi']
  let portico: Portico
  beforeAll(async () => {
    const apps = names.map((name) => {
      const module = name === 'django' ? 'django_asgi_contract' : `${name}_contract`
      return `  ${name}: { python: "${module}:application", dir: ${APPS}, interpreter: ${PYTHON}, workers: 1, mode: ${name === 'django' ? 'asgi' : 'auto'} }`
    })
    portico = await Portico.serve({
      'site.yaml': `
listen: "127.0.0.1:0"
hosts:
${names.map((name) => `  ${name}: { /: { app: ${name} } }`).join('\n')}
apps:
${apps.join('\n')}
`,
    })
    await portico.settled()
  }, 60_000)
  afterAll(() => portico[Symbol.asyncDispose]())

  test.each(names)(
    '%s keeps the contract',
    async (name) => {
      using visitor = await Visitor.to(portico.port)
      const asked = (path: string, more: Ask = {}) =>
        visitor.ask(path, { ...more, fields: { Host: name, ...more.fields } })
      await keepsContract(name, '', MB / 4, async (path, more) => {
        const reply = await asked(path, more)
        const location = reply.fields.location?.replace(`http://${name}`, '')
        return location === undefined ? reply : { ...reply, fields: { ...reply.fields, location } }
      })
    },
    30_000,
  )

  test('Starlette: files, background tasks, streams that nobody takes any more', async () => {
    const starlette = (path: string) => ask(portico.port, path, { fields: { Host: 'starlette' } })
    const path = portico.write('file.bin', randomBytes(300_000))
    expect((await starlette(`/file?path=${path}`)).body).toHaveLength(300_000)
    const began = performance.now()
    expect((await starlette('/background')).text).toBe('at once')
    expect(performance.now() - began).toBeLessThan(250)
    const visitor = await Visitor.to(portico.port)
    visitor.send('GET /endless HTTP/1.1\r\nHost: starlette\r\n\r\n')
    await visitor.read()
    visitor.leave()
    await until('both to be done', async () => {
      const { text } = await starlette('/told')
      return text.includes('background') && text.includes('endless')
    })
  })
})

const LIVES = `
import asyncio, os, sys
version = "VERSION"

async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("tidied up " + version)
        return await send({"type": "lifespan.shutdown.complete"})
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        return await receive() and await receive()
    await asyncio.sleep(0.005)
    if scope["path"] == "/die":
        os._exit(9)
    body = version.encode()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
`

const lives = (version: string): string => LIVES.replace('VERSION', version)

const SITE = `
listen: "127.0.0.1:0"
threads: 2
routes: { /: { app: shop } }
apps: { shop: { python: "shop:application", interpreter: ${PYTHON}, workers: 2 } }
`

test('reloads under load lose nothing, and WebSockets are asked to come again', async () => {
  await using portico = await Portico.serve({ 'site.yaml': SITE, 'shop.py': lives('v0') })
  await portico.settled()
  const kept = await talk(`ws://127.0.0.1:${portico.port}/`)
  await using load = new Load(portico.port, { kept: 24, fresh: 4 })
  for (let version = 1; version <= 5; version++) {
    portico.write('shop.py', lives(`v${version}`))
    expect(await portico.run('reload')).toMatchObject({ code: 0 })
    expect((await ask(portico.port, '/')).text).toBe(`v${version}`)
  }
  const { lost, answered, sent, statuses } = await load.stop()
  expect(lost).toEqual([])
  expect(answered).toBe(sent)
  expect(Object.keys(statuses)).toEqual(['200'])
  expect(await kept.closed).toMatchObject({ code: 1012 })
  await portico.logged(/tidied up v0/)
}, 60_000)

test('a worker that dies takes what it had in hand, and no more', async () => {
  await using portico = await Portico.serve({ 'site.yaml': SITE, 'shop.py': lives('v0') })
  await portico.settled()
  const parent = (await portico.status()).apps.shop?.parent ?? 0
  await using load = new Load(portico.port, { kept: 16, fresh: 2 })
  for (let i = 0; i < 10; i++) {
    const workers = portico.processes().filter((process) => process.parent === parent)
    const victim = workers[i % workers.length]
    if (victim !== undefined) kill(victim.pid)
    await sleep(150)
  }
  const { lost, answered, sent, statuses } = await load.stop()
  expect(lost).toEqual([])
  expect(answered).toBe(sent)
  expect(Object.keys(statuses).filter((status) => status !== '200' && status !== '502')).toEqual([])
  expect(statuses[502] ?? 0).toBeLessThanOrEqual(10 * 18)
  await portico.settled()
}, 40_000)

test('a startup that fails is shown, and is no reload', async () => {
  const fails = `
async def application(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database today"})
`
  await using portico = await Portico.serve({ 'site.yaml': SITE, 'shop.py': lives('v0') })
  await portico.settled()
  portico.write('shop.py', fails)
  const reload = await portico.run('reload')
  expect(reload).toMatchObject({ code: 1 })
  expect(reload.err).toMatch(/its workers keep dying right after their start/)
  await portico.logged(/its lifespan startup failed: no database today/)
  await portico.logged(/worker did not start; the next one starts in 100 ms/)
  expect((await ask(portico.port, '/')).text).toBe('v0')
}, 40_000)

test('portico serve examples/asgi', async () => {
  const folder = new URL('../../examples/asgi', import.meta.url).pathname
  expect(readdirSync(folder)).toContain('app.py')
  await using portico = await Portico.serve({}, { target: folder, args: ['-b', '127.0.0.1:0'] })
  await portico.settled()
  expect(portico.messages).toContain('ASGI application app:app')
  const page = await ask(portico.port, '/')
  expect(page.text).toContain('<h1>Echo</h1>')
  const { socket, heard, messages } = await talk(`ws://127.0.0.1:${portico.port}/echo`)
  socket.send('hello')
  await heard(1)
  expect(messages).toEqual(['hello'])
  const visitor = await Visitor.to(portico.port)
  visitor.send('GET /clock HTTP/1.1\r\nHost: a\r\n\r\n')
  expect(String(await visitor.read())).toMatch(/text\/event-stream/)
  visitor.leave()
})
