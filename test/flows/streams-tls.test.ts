/** TLS and plain connections: passed on by server name, ended here before a pool, begun by STARTTLS. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type Server, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readProxyHeader } from '../../src/wire/proxy-protocol.ts'
import { until } from '../supervisor/site.ts'
import { pair } from '../tls/support/certificates.ts'
import { connectionLines, lineWhere } from './support/connection-lines.ts'
import { MailAuth } from './support/mail-auth.ts'
import { Talk } from './support/mail-talk.ts'
import { PlainServer } from './support/plain-server.ts'
import { Portico } from './support/portico.ts'
import { Visitor } from './support/visitor.ts'

const names = ['pass', 'strict', 'end', 'known', 'imap', 'smtp', 'only', 'echo'] as const
type Name = (typeof names)[number]
const port = (name: Name): number => Number(new URL(portico.urls[names.indexOf(name)]!).port)

let servers: Server[]
let plain: PlainServer
let echo: PlainServer
let noting: PlainServer
const noted: Buffer[] = []
let auth: MailAuth
let mailbox: PlainServer
let portico: Portico

async function tlsServer(name: string): Promise<Server> {
  const server = createServer(
    { ...pair({ names: [`${name}.test`, `*.${name}.test`] }), ALPNProtocols: ['one'] },
    (socket) => {
      socket.on('error', () => {})
      socket.on('data', (chunk) => socket.write(`${name} ${chunk}`))
    },
  )
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

const at = (server: Server): string => `127.0.0.1:${(server.address() as AddressInfo).port}`

beforeAll(async () => {
  servers = [await tlsServer('a'), await tlsServer('b'), await tlsServer('other')]
  plain = await PlainServer.named('plain')
  echo = await PlainServer.echo()
  noting = await PlainServer.start((socket) => {
    socket.on('data', (chunk: Buffer) => {
      noted.push(chunk)
      socket.write('noted')
    })
    socket.on('end', () => socket.end())
  })
  mailbox = await PlainServer.start((socket) => {
    socket.write('* OK here\r\n')
    socket.on('end', () => socket.end())
    socket.on('data', (chunk: Buffer) => {
      const text = chunk.toString()
      if (text.includes('LOGIN') || text.startsWith('joe')) socket.write('+ go on\r\n')
      else if (text === 'x\r\n') socket.write('a OK welcome\r\n')
      else socket.write(`echo ${text}`)
    })
  })
  auth = await MailAuth.start()
  const [host, mailPort] = mailbox.address.split(':')
  auth.answer = () => ({ 'Auth-Status': 'OK', 'Auth-Server': host!, 'Auth-Port': mailPort! })
  const [a, b, other] = servers.map(at)
  const { cert, key } = pair({ names: ['mail.test', 'localhost'] })
  const mail = (starttls: string): string =>
    `certificate: site.pem, key: site.key, mail: { auth: "${auth.url}", server-name: mail.test, starttls: ${starttls} }`
  portico = await Portico.serve({
    'site.pem': cert,
    'site.key': key,
    'site.yaml': `
threads: 2
listen:
  - { on: "tls://127.0.0.1:0", pool: other, names: { a.test: "${a}", "*.a.test": "${a}", B.test: b } }
  - { on: "tls://127.0.0.1:0", names: { a.test: "${a}" } }
  - { on: "tcp://127.0.0.1:0", pool: plain, certificate: site.pem, key: site.key }
  - { on: "tcp://127.0.0.1:0", pool: noting, certificate: site.pem, key: site.key }
  - { on: "imap://127.0.0.1:0", ${mail('on')} }
  - { on: "smtp://127.0.0.1:0", ${mail('only')} }
  - { on: "imap://127.0.0.1:0", ${mail('off')} }
  - { on: "tcp://127.0.0.1:0", pool: "${echo.address}", certificate: site.pem, key: site.key }
pools:
  b: { servers: ["tcp://${b}"] }
  other: { servers: ["tcp://${other}"] }
  plain: { servers: ["${plain.address}"] }
  noting: { servers: ["${noting.address}"], proxy-protocol: v2 }
timeouts: { head: 1s }
log: { access: stdout, format: json }
`,
  })
})

afterAll(async () => {
  await portico?.[Symbol.asyncDispose]()
  for (const server of servers) server.close()
  for (const server of [plain, echo, noting, mailbox]) await server?.stop()
  await auth?.stop()
})

async function over(to: number, servername: string, more: object = {}): Promise<TLSSocket> {
  const socket = connect({
    host: '127.0.0.1',
    port: to,
    servername,
    rejectUnauthorized: false,
    ...more,
  })
  await once(socket, 'secureConnect')
  return socket
}

async function answer(socket: TLSSocket, text: string): Promise<string> {
  const heard = once(socket, 'data')
  socket.write(text)
  return String((await heard)[0])
}

describe('passed on by server name', () => {
  test.each([
    ['a.test', 'a'],
    ['www.a.test', 'a'],
    ['x.y.a.test', 'a'],
    ['b.test', 'b'],
    ['B.TEST', 'b'],
    ['www.b.test', 'other'],
    ['elsewhere.test', 'other'],
    ['', 'other'],
  ])('%s is for %s', async (name, who) => {
    const socket = await over(port('pass'), name)
    expect(await answer(socket, 'hello')).toBe(`${who} hello`)
    // Its certificate is the server's own: nobody in between has ended TLS.
    expect(socket.getPeerCertificate().subjectaltname).toContain(`${who}.test`)
    socket.destroy()
  })

  test('the log tells the name and what was offered', async () => {
    const from = connectionLines(portico).length
    const socket = await over(port('pass'), 'a.test', { ALPNProtocols: ['one', 'two'] })
    expect(socket.alpnProtocol).toBe('one')
    socket.end()
    const line = await lineWhere(portico, from, ({ alpn }) => alpn !== undefined)
    expect(line).toMatchObject({ protocol: 'tls', server_name: 'a.test', alpn: ['one', 'two'] })
  })

  test('a name that nobody has is told so', async () => {
    await expect(over(port('strict'), 'b.test')).rejects.toThrow(/unrecognized name/i)
    await portico.logged(/no pool for "b\.test"/)
  })

  test('what is no TLS is told so, too, and reaches nobody', async () => {
    using visitor = await Visitor.to(port('strict'))
    const end = await visitor.send('GET / HTTP/1.1\r\n\r\n').end()
    expect([...end]).toEqual([21, 3, 1, 0, 2, 2, 50])
  })

  test('half a hello has its time', async () => {
    using visitor = await Visitor.to(port('strict'))
    const began = performance.now()
    await visitor.send(Buffer.from([22, 3, 1, 0, 200, 1, 0])).end()
    expect(performance.now() - began).toBeGreaterThan(900)
  })
})

describe('ended here', () => {
  test('a server without TLS hears what was said within it', async () => {
    const from = connectionLines(portico).length
    const socket = await over(port('end'), 'mail.test')
    expect(await answer(socket, 'hello')).toBe('plain hello')
    socket.end()
    const line = await lineWhere(portico, from, ({ protocol }) => protocol === 'tcp')
    expect(line).toMatchObject({ received: 5, sent: 11, end: 'done' })
  })

  test('much at once, both ways, byte for byte', async () => {
    const socket = await over(port('echo'), 'mail.test')
    const body = Buffer.alloc(8_000_000)
    for (let i = 0; i < body.length; i += 4) body.writeUInt32LE(i, i)
    const parts: Buffer[] = []
    let had = 0
    socket.on('data', (chunk: Buffer) => {
      parts.push(chunk)
      had += chunk.length
      // A reader that is slower than the writer, so that something has to wait.
      if (parts.length % 20 !== 0) return
      socket.pause()
      setTimeout(() => socket.resume(), 5)
    })
    socket.write(body)
    await until('all of it', () => had >= body.length, 20_000)
    expect(Buffer.concat(parts).equals(body)).toBe(true)
    socket.destroy()
  })

  test('and knows that it was, by a PROXY header', async () => {
    const socket = await over(port('known'), 'mail.test')
    expect(await answer(socket, 'x')).toBe('noted')
    const header = readProxyHeader(Buffer.concat(noted))!
    expect(header.visitor).toMatchObject({ address: '127.0.0.1', tls: true })
    socket.destroy()
  })
})

describe('mail', () => {
  test('STARTTLS, then a login that tells of it', async () => {
    const visitor = await Visitor.to(port('imap'))
    const clear = new Talk(visitor)
    await clear.line()
    expect((await clear.ask('c CAPABILITY', /^c /))[0]).toContain('STARTTLS')
    expect(await clear.say('s STARTTLS')).toBe('s OK Begin TLS negotiation now')
    const socket = connect({
      socket: visitor.socket,
      servername: 'mail.test',
      rejectUnauthorized: false,
    })
    await once(socket, 'secureConnect')
    expect(await answer(socket, 'c CAPABILITY\r\n')).not.toContain('STARTTLS')
    expect(await answer(socket, 'a LOGIN joe x\r\n')).toBe('a OK welcome\r\n')
    expect(auth.asked.at(-1)).toMatchObject({ 'auth-ssl': 'on', 'auth-ssl-protocol': 'TLSv1.3' })
    expect(await answer(socket, 'b NOOP\r\n')).toBe('echo b NOOP\r\n')
    socket.destroy()
  })

  test('no command slips in before it', async () => {
    auth.asked.length = 0
    const visitor = await Visitor.to(port('imap'))
    const clear = new Talk(visitor)
    await clear.line()
    visitor.send('s STARTTLS\r\na LOGIN joe x\r\n')
    expect(await clear.until(/never/)).toEqual(['* BYE nothing may follow STARTTLS'])
    expect(auth.asked).toEqual([])
  })

  test('only within TLS', async () => {
    const visitor = await Visitor.to(port('smtp'))
    const clear = new Talk(visitor)
    await clear.line()
    expect(await clear.ask('EHLO me', /^250 /)).toEqual(['250-mail.test', '250 STARTTLS'])
    expect(await clear.say('AUTH PLAIN AGpvZQB4')).toBe(
      '530 5.7.0 Must issue a STARTTLS command first',
    )
    expect(await clear.say('STARTTLS')).toBe('220 2.0.0 Start TLS')
    const socket = connect({
      socket: visitor.socket,
      servername: 'mail.test',
      rejectUnauthorized: false,
    })
    await once(socket, 'secureConnect')
    expect(await answer(socket, 'EHLO me\r\n')).toBe('250-mail.test\r\n250 AUTH PLAIN LOGIN\r\n')
    socket.destroy()
  })

  test('TLS before everything', async () => {
    const socket = connect({
      host: '127.0.0.1',
      port: port('only'),
      servername: 'mail.test',
      rejectUnauthorized: false,
    })
    expect(String((await once(socket, 'data'))[0])).toBe('* OK IMAP4 ready\r\n')
    expect(await answer(socket, 'a LOGIN joe x\r\n')).toBe('a OK welcome\r\n')
    socket.destroy()
  })

  test('whoever leaves in the middle of it is forgotten', async () => {
    const visitor = await Visitor.to(port('imap'))
    const clear = new Talk(visitor)
    await clear.line()
    await clear.say('s STARTTLS')
    visitor.leave()
    await until('nobody', async () => (await portico.status()).totals.connections.open === 0)
  })
})
