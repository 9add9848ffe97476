/** Node applications of every kind, in the whole program: in worker processes and in server threads. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Load } from './support/load.ts'
import { Portico } from './support/portico.ts'
import { kill } from './support/processes.ts'
import { ask, Visitor } from './support/visitor.ts'

const HEAD = 'listen: "127.0.0.1:0"\nthreads: 2\n'

const site = (settings: string, file = './app.ts'): string =>
  `${HEAD}routes: { "/": { app: api, body: 100MiB } }\napps: { api: { node: ${file}, workers: 2, ${settings} } }\n`

/** Everything that a visitor may ask of a fetch handler; TypeScript, as it is. */
const APP = `
import { createHash } from 'node:crypto'

interface Data { readonly name: string }
let left = 0

async function digest(body: ReadableStream<Uint8Array> | null): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of body ?? []) hash.update(chunk)
  return hash.digest('hex')
}

export default {
  async fetch(request: Request, server: any): Promise<Response | undefined> {
    const { pathname, searchParams } = new URL(request.url)
    switch (pathname) {
      case '/': return new Response('hello')
      case '/pid': return new Response(String(process.pid))
      case '/request': return Response.json({
        method: request.method, url: request.url, agent: request.headers.get('user-agent'),
        ip: server.requestIP(request).address, isRequest: request instanceof Request,
      })
      case '/json': return Response.json(await request.json(), { status: 201 })
      case '/form': return Response.json([...(await request.formData())])
      case '/digest': return new Response(await digest(request.body))
      case '/echo': return new Response(request.body, { headers: { 'x-left': String(left) } })
      case '/left': return new Response(String(left))
      case '/throw': throw new Error('the handler broke', { cause: new Error('why') })
      case '/nothing': return undefined
      case '/stray': setTimeout(() => { throw new Error('astray') }, 1); return new Response('ok')
      case '/never': return new Promise(() => {})
      case '/loop': for (;;) Math.random()
      case '/large': return new Response('x'.repeat(Number(searchParams.get('size'))))
      case '/cookies': {
        const headers = new Headers({ 'content-length': '3', 'x-a': '1' })
        headers.append('set-cookie', 'a=1')
        headers.append('set-cookie', 'b=2')
        return new Response('abc', { headers, statusText: 'Fine' })
      }
      case '/empty': return new Response(null, { status: 204 })
      case '/bad': return new Response('x', { headers: { 'x-a': 'a\\x01b' } })
      case '/short': return new Response(new Blob(['ab']).stream(), { headers: { 'content-length': '5' } })
      case '/long': return new Response(new Blob(['ab']).stream(), { headers: { 'content-length': '1' } })
      case '/broken': return new Response(new ReadableStream({
        start(c) { c.enqueue(new TextEncoder().encode('part')) },
        pull() { return new Promise((_, no) => setTimeout(() => no(new Error('cut')), 20)) },
      }))
      case '/events': {
        let n = 0
        return new Response(new ReadableStream({
          async pull(controller) {
            await new Promise((resolve) => setTimeout(resolve, n++ === 0 ? 0 : 50))
            controller.enqueue(new TextEncoder().encode('data: ' + n + '\\n\\n'))
            if (n === 4) controller.close()
          },
          cancel() { left++ },
        }), { headers: { 'content-type': 'text/event-stream' } })
      }
      case '/wait':
        request.signal.addEventListener('abort', () => { left++ })
        return new Promise(() => {})
      case '/ws':
        if (server.upgrade(request, { data: { name: searchParams.get('name') ?? '' } })) return
        return new Response('a WebSocket lives here', { status: 426 })
    }
    return new Response('not here', { status: 404 })
  },
  websocket: {
    open(socket: any) { socket.send('hello ' + (socket.data as Data).name) },
    message(socket: any, message: string | Buffer) {
      if (message === 'throw') throw new Error('the socket broke')
      if (message === 'bye') return socket.close(4001, 'as asked')
      socket.send(message)
    },
    close() { left++ },
  },
}
`

const RUNS = ['processes', 'threads'] as const

describe.each(RUNS)('a fetch handler, run: %s', (run) => {
  const files = (settings = ''): Record<string, string> => ({
    'site.yaml': site(`run: ${run}, ${settings}`),
    'app.ts': APP,
  })

  test('answers of every kind', async () => {
    await using portico = await Portico.serve(files())
    const { port } = portico
    const agent = { 'User-Agent': 'a test' }
    expect(await ask(port, '/')).toMatchObject({
      status: 200,
      text: 'hello',
      fields: { 'content-type': 'text/plain;charset=UTF-8', 'content-length': '5' },
    })
    const facts = JSON.parse((await ask(port, '/request?a=%20b', { fields: agent })).text)
    expect(facts).toEqual({
      method: 'GET',
      url: 'http://localhost/request?a=%20b',
      agent: 'a test',
      ip: '127.0.0.1',
      isRequest: true,
    })
    const json = await ask(port, '/json', { body: '{"a":[1,"ä"]}' })
    expect([json.status, json.text]).toEqual([201, '{"a":[1,"ä"]}'])
    const type = { 'Content-Type': 'application/x-www-form-urlencoded' }
    expect((await ask(port, '/form', { body: 'a=1&b=%C3%A4', fields: type })).text).toBe(
      '[["a","1"],["b","ä"]]',
    )
    const cookies = await ask(port, '/cookies')
    expect(cookies.fields).toMatchObject({ 'set-cookie': 'a=1\nb=2', 'content-length': '3' })
    expect((await ask(port, '/empty')).status).toBe(204)
    const head = await ask(port, '/cookies', { method: 'HEAD' })
    expect([head.status, head.text, head.fields['content-length']]).toEqual([200, '', '3'])
    expect((await ask(port, '/large?size=1000000')).body.length).toBe(1_000_000)
    expect((await ask(port, '/', { method: 'TRACE' })).status).toBe(405)
    expect((await ask(port, '/nowhere')).text).toBe('not here')
  })

  test('what an application does wrong fails its request alone, and is told in the log', async () => {
    await using portico = await Portico.serve(files())
    const { port } = portico
    expect((await ask(port, '/throw')).status).toBe(500)
    await portico.logged(/Error: the handler broke/)
    await portico.logged(/at .*app\.ts:\d+:\d+/)
    await portico.logged(/\[cause\] Error: why/)
    expect((await ask(port, '/nothing')).status).toBe(500)
    await portico.logged(/must return a Response, not undefined/)
    expect((await ask(port, '/bad')).status).toBe(500)
    await expect(ask(port, '/short')).rejects.toThrow()
    await portico.logged(/ended after 2 of 5 bytes/)
    expect((await ask(port, '/long')).status).toBe(500)
    await portico.logged(/longer than its Content-Length of 1/)
    await expect(ask(port, '/broken')).rejects.toThrow()
    await portico.logged(/Error: cut/)
    expect((await ask(port, '/')).text).toBe('hello')
  })

  test('streams both ways, as they come', async () => {
    await using portico = await Portico.serve(files())
    const { port } = portico
    const body = randomBytes(50 * 1_048_576)
    const sum = createHash('sha256').update(body).digest('hex')
    expect((await ask(port, '/digest', { body })).text).toBe(sum)
    const echoed = await ask(port, '/echo', { body: body.subarray(0, 5_000_000) })
    expect(echoed.body.equals(body.subarray(0, 5_000_000))).toBe(true)

    using visitor = await Visitor.to(port)
    visitor.send('POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
    let seen = ''
    while (!seen.includes('abc')) seen += await visitor.read()
    visitor.send('3\r\ndef\r\n0\r\n\r\n')
    while (!seen.includes('def')) seen += await visitor.read()

    const events = await ask(port, '/events')
    expect(events.text).toBe('data: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n')
    expect(events.chunks.at(-1)! - events.chunks[0]!).toBeGreaterThan(100)
  }, 30_000)

  test('visitors that leave abort the signal and cancel the stream', async () => {
    await using portico = await Portico.serve({
      ...files(),
      'site.yaml': site(`run: ${run}`)
        .replace('workers: 2', 'workers: 1')
        .replace('threads: 2', 'threads: 1'),
    })
    const { port } = portico
    for (const path of ['/wait', '/events']) {
      const visitor = await Visitor.to(port)
      visitor.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
      if (path === '/events') await visitor.read()
      else await sleep(100)
      visitor.socket.resetAndDestroy()
    }
    await until('both', async () => (await ask(port, '/left')).text === '2')
  })

  test('WebSockets: echo, a burst, and every way to end', async () => {
    await using portico = await Portico.serve({
      ...files(),
      'site.yaml': site(`run: ${run}`)
        .replace('workers: 2', 'workers: 1')
        .replace('threads: 2', 'threads: 1'),
    })
    const { port } = portico
    expect((await ask(port, '/ws')).status).toBe(426)
    await burst(`ws://127.0.0.1:${port}/ws?name=Ada`)
    for (const [say, code] of [
      ['bye', 4001],
      ['throw', 1011],
    ] as const) {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`)
      const closed = new Promise<CloseEvent>((resolve) => {
        socket.onclose = resolve
      })
      socket.onopen = () => socket.send(say)
      expect((await closed).code).toBe(code)
    }
    await portico.logged(/the socket broke/)
    await until('every close', async () => (await ask(port, '/left')).text === '3')
  })

  test('a body that breaks off is no failure of the application', async () => {
    await using portico = await Portico.serve(files())
    const { port } = portico
    await until('the first answer', async () => (await ask(port, '/')).status === 200)
    for (const body of ['Content-Length: 9\r\n\r\n[1,', 'Transfer-Encoding: chunked\r\n\r\nx']) {
      using visitor = await Visitor.to(port)
      visitor.send(`POST /json HTTP/1.1\r\nHost: a\r\n${body}`).socket.end()
      await visitor.end()
    }
    expect((await ask(port, '/json', { body: 'x' })).status).toBe(500)
    await portico.logged(/POST \/json: the application failed$/)
    expect(portico.messages.match(/the application failed/g)).toHaveLength(1)
  })

  test('tiny messages of visitors that read nothing take no memory without bound', async () => {
    await using portico = await Portico.serve(files())
    await until('the first answer', async () => (await ask(portico.port, '/')).status === 200)
    const memory = (): number => portico.processes().reduce((sum, { memory }) => sum + memory, 0)
    const before = memory()
    for (const size of [0, 1]) {
      using visitor = await Visitor.to(portico.port)
      visitor.send(
        'GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
      )
      const message = Buffer.concat([Buffer.of(0x81, 0x80 | size), Buffer.alloc(4 + size)])
      const many = Buffer.concat(Array(8192).fill(message))
      const go = (): void => {
        while (visitor.socket.writable && visitor.socket.write(many));
      }
      visitor.socket.on('drain', go)
      go()
      for (let i = 0; i < 7; i++) {
        await sleep(500)
        expect(memory() - before).toBeLessThan(400_000_000)
      }
    }
  }, 40_000)

  test('one that takes too long gets 504', async () => {
    await using portico = await Portico.serve(files('deadline: 1s'))
    const before = (await ask(portico.port, '/pid')).text
    const reply = await ask(portico.port, '/never')
    expect(reply.status).toBe(504)
    expect((await ask(portico.port, '/pid')).text).toBeTruthy()
    await sleep(2_500)
    // It only waits, so nobody is killed for it.
    expect(portico.messages).not.toMatch(/worker (died|exceeded)/)
    expect(before).toBeTruthy()
  }, 15_000)

  test('what cannot be parsed is told with its place, in whichever module it is', async () => {
    await using portico = await Portico.serve({
      'site.yaml': `${HEAD}routes: { "/": { respond: up }, "/api/": { app: api } }\napps: { api: { node: ./app.mjs, run: ${run} } }\n`,
      'app.mjs':
        'import { three } from "./three.mjs"\nexport default { fetch: () => new Response(three) }\n',
      'three.mjs': 'const one = 1\nexport const three = one + = 2\n',
    })
    await portico.logged(
      /application api did not load: .*three\.mjs:2\nexport const three = one \+ = 2\n\s+\^\n\nSyntaxError: Unexpected token '='$/,
    )
  })

  test('what does not load is told with its stack; the rest is served', async () => {
    const broken = 'const a: string = "x"\nthrow new Error("not today " + a)\n'
    await using portico = await Portico.serve({
      'site.yaml': `${HEAD}routes: { "/": { respond: up }, "/api/": { app: api } }\napps: { api: { node: ./app.ts, run: ${run} } }\n`,
      'app.ts': broken,
    })
    await portico.logged(/application api did not load: Error: not today x\n\s+at .*app\.ts:2:7/)
    expect((await ask(portico.port, '/')).text).toBe('up')
    expect((await ask(portico.port, '/api/')).status).toBe(500)
    portico.write('app.ts', APP)
    expect((await portico.run('reload')).code).toBe(0)
    expect((await ask(portico.port, '/api/')).status).toBe(404)
    portico.write('app.ts', 'import "./not-there.ts"\n')
    const reload = await portico.run('reload')
    expect(reload.code).not.toBe(0)
    expect(reload.err + reload.out).toMatch(/not-there/)
    expect((await ask(portico.port, '/api/')).text).toBe('not here')
  }, 20_000)

  test('reloads under load lose nothing', async () => {
    await using portico = await Portico.serve(files())
    await until('the first answer', async () => (await ask(portico.port, '/')).status === 200)
    await using load = new Load(portico.port, { kept: 8, fresh: 2 })
    for (let i = 0; i < 3; i++) expect((await portico.run('reload')).code).toBe(0)
    const { sent, answered, lost, statuses } = await load.stop()
    expect(lost).toEqual([])
    expect(statuses).toEqual({ 200: sent })
    expect(answered).toBe(sent)
  }, 30_000)
})

/** Asks for an echo of 10,000 messages at once. */
async function burst(url: string): Promise<void> {
  const socket = new WebSocket(url)
  socket.binaryType = 'arraybuffer'
  const got: (string | number)[] = []
  const all = new Promise<void>((resolve, reject) => {
    socket.onmessage = ({ data }) => {
      got.push(typeof data === 'string' ? data : data.byteLength)
      if (got.length === 10_002) resolve()
    }
    socket.onclose = () => reject(new Error(`closed after ${got.length}`))
  })
  socket.onopen = () => {
    for (let i = 0; i < 10_000; i++) socket.send(`message ${i}`)
    socket.send(new Uint8Array(300_000))
  }
  await all
  expect(got[0]).toBe('hello Ada')
  expect(got.slice(1, -1)).toEqual(Array.from({ length: 10_000 }, (_, i) => `message ${i}`))
  expect(got.at(-1)).toBe(300_000)
  await new Promise((resolve) => {
    socket.onclose = resolve
    socket.close()
  })
}

const LISTENER = `
const answer = (req, res) => {
  if (req.url === '/pid') return res.end(String(process.pid))
  if (req.url === '/loop') for (;;) Math.random()
  if (req.url === '/never') return
  if (req.url === '/echo') return req.pipe(res)
  if (req.url === '/late') { res.write('a'); return setTimeout(() => res.end('b'), 1500) }
  res.setHeader('X-Seen', [req.headers.host, req.headers['x-forwarded-for'], req.headers['x-forwarded-proto']].join(' '))
  res.end('listener ' + req.method + ' ' + req.url)
}
`

/** As Connect has it: an application is a function with \`handle\`, made of functions with \`next\`. */
const CONNECT = `
const stack = []
function app(req, res) { app.handle(req, res) }
app.handle = (req, res) => {
  let i = 0
  const next = () => stack[i++]?.(req, res, next)
  next()
}
app.use = (layer) => stack.push(layer)
app.use((req, res, next) => { res.setHeader('X-Layer', '1'); next() })
`

const KINDS: Readonly<Record<string, readonly [file: string, text: string]>> = {
  'a CommonJS function': ['app.cjs', `${LISTENER}\nmodule.exports = answer`],
  'an ESM function': ['app.mjs', `${LISTENER}\nexport default answer`],
  'an Express-like application': [
    'app.cjs',
    `${LISTENER}${CONNECT}app.use(answer)\nmodule.exports = app`,
  ],
  'a Koa-like application': ['app.mjs', `${LISTENER}\nexport default { callback: () => answer }`],
  'a server that is exported': [
    'app.mjs',
    `import { createServer } from 'node:http'\n${LISTENER}\nexport default createServer(answer)`,
  ],
  'a program that listens': [
    'app.ts',
    `import { createServer } from 'node:http'\n${LISTENER.replace('(req, res)', '(req: any, res: any)')}
const server = createServer(answer)
setTimeout(() => server.listen(Number(process.env.PORT), '0.0.0.0', () => console.log('port', (server.address() as any).port)), 50)`,
  ],
  'a CommonJS main program': [
    'app.cjs',
    `${LISTENER}\nif (require.main === module) require('node:http').createServer(answer).listen(process.env.PORT)`,
  ],
}

describe('a (req, res) listener', () => {
  test.each(Object.entries(KINDS))(
    '%s',
    async (_, [file, text]) => {
      await using portico = await Portico.serve({
        'site.yaml': site('deadline: 1s', `./${file}`),
        [file]: text,
      })
      const { port } = portico
      const reply = await ask(port, '/a?b')
      expect([reply.status, reply.text]).toEqual([200, 'listener GET /a?b'])
      expect(reply.fields['x-seen']).toBe('localhost 127.0.0.1 http')
      const body = randomBytes(2_000_000)
      expect((await ask(port, '/echo', { body })).body.equals(body)).toBe(true)
    },
    20_000,
  )

  const files = (settings: string): Record<string, string> => ({
    'site.yaml': site(settings, './app.cjs'),
    'app.cjs': `${LISTENER}\nmodule.exports = answer`,
  })

  test('its deadline is for the beginning of an answer, and only who is stuck is replaced', async () => {
    await using portico = await Portico.serve(files('deadline: 1s'))
    await portico.settled()
    expect((await ask(portico.port, '/late')).text).toBe('ab')
    expect((await ask(portico.port, '/never')).status).toBe(504)
    await sleep(2_500)
    expect(portico.messages).not.toMatch(/worker (died|exceeded)/)
    expect((await ask(portico.port, '/loop')).status).toBe(504)
    await portico.logged(/worker exceeded its deadline: GET \/loop/)
    await portico.logged(/at answer \(file:.*app\.cjs:4:\d+\)/)
    await portico.logged(/worker died \(SIGKILL\)/)
    await portico.settled()
    expect((await ask(portico.port, '/')).status).toBe(200)
  }, 30_000)

  test('what a killed worker has not read goes to another one, even a POST', async () => {
    await using portico = await Portico.serve(files(''))
    const { apps } = await portico.settled()
    const workers = apps.api!.workers.map(({ pid }) => pid)
    // Connections that workers have read from before, and one that nobody has.
    await Promise.all([ask(portico.port, '/'), ask(portico.port, '/')])
    const [frozen] = workers
    kill(frozen!, 'SIGSTOP')
    // More than one for each worker, so that some stand before the frozen one.
    const posts = Array.from({ length: 6 }, (_, n) =>
      ask(portico.port, '/echo', { body: `order ${n}` }),
    )
    await sleep(300)
    kill(frozen!)
    const replies = await Promise.all(posts)
    expect(replies.map(({ status, text }) => [status, text])).toEqual(
      replies.map((_, n) => [200, `order ${n}`]),
    )
  }, 30_000)

  test('workers that are killed under load', async () => {
    await using portico = await Portico.serve(files(''))
    await portico.settled()
    await using load = new Load(portico.port, { kept: 8, fresh: 2 })
    let killed = 0
    for (let i = 0; i < 5; i++) {
      await sleep(300)
      const workers = (await portico.status()).apps.api?.workers ?? []
      if (workers.length > 0 && kill(workers[i % workers.length]!.pid)) killed++
    }
    await sleep(500)
    const { sent, answered, lost, statuses } = await load.stop()
    expect(killed).toBeGreaterThan(2)
    expect(lost).toEqual([])
    expect(answered).toBe(sent)
    const { 200: fine = 0, 502: broken = 0, ...others } = statuses
    expect(others).toEqual({})
    expect(fine).toBeGreaterThan(500)
    // Each of the ten visitors had at most one request in a worker's hands.
    expect(broken).toBeLessThanOrEqual(killed * 10)
  }, 30_000)

  test('reloads under load lose nothing', async () => {
    await using portico = await Portico.serve(files(''))
    await portico.settled()
    await using load = new Load(portico.port, { kept: 8, fresh: 2 })
    for (let i = 0; i < 3; i++) expect((await portico.run('reload')).code).toBe(0)
    const { sent, lost, statuses } = await load.stop()
    expect(lost).toEqual([])
    expect(statuses).toEqual({ 200: sent })
  }, 30_000)
})

test('a program with a WebSocket server of its own', async () => {
  const program = `
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
const server = createServer((req, res) => res.end('plain'))
server.on('upgrade', (req, socket, head) => {
  const key = createHash('sha1').update(req.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64')
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: ' + key + '\\r\\n\\r\\n')
  socket.write(Buffer.from([0x81, 2, 0x68, 0x69]))
  socket.on('data', () => socket.end(Buffer.from([0x88, 0])))
  socket.on('end', () => socket.end())
})
server.listen(process.env.PORT)
`
  await using portico = await Portico.serve({
    'site.yaml': site('', './app.mjs'),
    'app.mjs': program,
  })
  expect((await ask(portico.port, '/')).text).toBe('plain')
  const socket = new WebSocket(`ws://127.0.0.1:${portico.port}/`)
  const message = new Promise<string>((resolve) => {
    socket.onmessage = ({ data }) => resolve(data)
  })
  expect(await message).toBe('hi')
  const closed = new Promise((resolve) => {
    socket.onclose = resolve
  })
  socket.send('x')
  await closed

  // One that leaves with a reset takes nobody along.
  const before = (await portico.status()).server
  using rude = await Visitor.to(portico.port)
  rude.send(
    'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  )
  await once(rude.socket, 'readable')
  rude.socket.resetAndDestroy()
  await sleep(300)
  expect((await ask(portico.port, '/')).text).toBe('plain')
  expect((await portico.status()).server).toMatchObject({ pid: before.pid, restarts: 0 })
}, 20_000)

test('fetch workers that are killed or broken under load', async () => {
  await using portico = await Portico.serve({ 'site.yaml': site('deadline: 1s'), 'app.ts': APP })
  await portico.settled()
  await using load = new Load(portico.port, { kept: 8, fresh: 2 })
  let killed = 0
  for (let i = 0; i < 5; i++) {
    await sleep(300)
    const workers = (await portico.status()).apps.api?.workers ?? []
    if (workers.length > 0 && kill(workers[i % workers.length]!.pid)) killed++
  }
  const { sent, answered, lost, statuses } = await load.stop()
  expect(killed).toBeGreaterThan(2)
  expect(lost).toEqual([])
  expect(answered).toBe(sent)
  expect(Object.keys(statuses).filter((status) => status !== '200' && status !== '502')).toEqual([])

  // As in Node alone: an error that nobody catches ends its process.
  await portico.settled()
  expect((await ask(portico.port, '/stray')).status).toBe(200)
  await portico.logged(/Error: astray/)
  await portico.logged(/worker died \(exit code 7|worker died \(exit code 1/)
  await portico.settled()

  expect((await ask(portico.port, '/loop')).status).toBe(504)
  await portico.logged(/worker exceeded its deadline: GET \/loop/)
  await portico.logged(/at fetch \(file:.*app\.ts:\d+:\d+\)/)
  await portico.settled()
  expect((await ask(portico.port, '/')).text).toBe('hello')
}, 40_000)

test('in a server thread, an error that nobody catches is logged, and the site goes on', async () => {
  await using portico = await Portico.serve({ 'site.yaml': site('run: threads'), 'app.ts': APP })
  const { server } = await portico.status()
  for (let i = 0; i < 3; i++) expect((await ask(portico.port, '/stray')).status).toBe(200)
  await portico.logged(/an application's uncaughtException: Error: astray/)
  expect((await ask(portico.port, '/')).text).toBe('hello')
  expect((await portico.status()).server).toMatchObject({ pid: server.pid })
})

test('programs that end, and interpreters that are none, are told', async () => {
  const apps = `apps:
  ends: { node: ./ends.mjs }
  none: { node: ./ends.mjs, interpreter: no-node-here }
  wrong: { node: ./ends.mjs, mode: fetch }
`
  await using portico = await Portico.serve({
    'site.yaml': `${HEAD}routes: { "/": { app: ends }, "/none/": { app: none }, "/wrong/": { app: wrong } }\n${apps}`,
    'ends.mjs': 'console.log("that was all")\n',
  })
  await portico.logged(/that was all/)
  await portico.logged(/application ends did not load: the program ended \(exit code 0\)/)
  await portico.logged(/application none did not load: .*there is no Node at/)
  await portico.logged(/application wrong did not load: .*exports no fetch handler/)
  expect((await ask(portico.port, '/')).status).toBe(500)
})

test('a program that somebody kills while it loads gets a second chance, and no third', async () => {
  const killed = `
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
const left = existsSync('kills') ? Number(readFileSync('kills', 'utf8')) : 0
if (left > 0) {
  writeFileSync('kills', String(left - 1))
  process.kill(process.pid, 'SIGKILL')
  await new Promise(() => {})
}
export default { fetch: () => new Response('alive') }
`
  await using portico = await Portico.serve({
    'site.yaml': `listen: "127.0.0.1:0"\nroutes: { /: { app: api } }\napps: { api: { node: ./api.ts, workers: 1 } }\n`,
    'api.ts': killed,
  })
  await portico.settled()
  portico.write('kills', '1')
  const { code, err } = await portico.run('reload')
  expect(err).toBe('')
  expect(code).toBe(0)
  portico.write('kills', '2')
  expect((await portico.run('reload')).err).toMatch(/the program ended \(signal 9\)/)
  expect((await ask(portico.port, '/')).text).toBe('alive')
})

test('no worker outlives its parent or the supervisor, however stuck', async () => {
  await using portico = await Portico.serve({ 'site.yaml': site(''), 'app.ts': APP })
  const { apps } = await portico.settled()
  const stuck = Number((await ask(portico.port, '/pid')).text)
  using visitor = await Visitor.to(portico.port)
  visitor.send('GET /loop HTTP/1.1\r\nHost: a\r\n\r\n')
  await sleep(200)
  kill(apps.api?.parent ?? 0)
  await until('its end', () => portico.processes().every(({ pid }) => pid !== stuck))
  await portico.settled()
  visitor.send('GET /loop HTTP/1.1\r\nHost: a\r\n\r\n')
  using again = await Visitor.to(portico.port)
  again.send('GET /loop HTTP/1.1\r\nHost: a\r\n\r\n')
  await sleep(200)
  portico.signal('SIGKILL')
  await until('the end of all', () => portico.processes().length === 0)
}, 20_000)
