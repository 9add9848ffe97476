/** What every check has to do with servers that are not well, whatever these do. */
import { createSocket } from 'node:dgram'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { createCheck } from '../../src/checks/create.ts'
import type { ProbePlan } from '../../src/site/check-plan.ts'
import type { Address } from '../../src/site/plan.ts'
import { NO_FILES } from '../../src/transports/backend/tls.ts'
import { closedPort, until } from '../transports/backends.ts'

const http = {
  kind: 'http',
  version: 1,
  tls: null,
  method: 'GET',
  path: '/',
  host: '',
  fields: [],
  status: [200, 399],
  body: '',
  digest: '',
} as const
const tls = { verify: false, name: '' }
const dns = { kind: 'dns', name: '.', type: 'SOA', code: 'NOERROR', answer: '' } as const

/** All that ask over a stream and wait for an answer. */
const streams: Readonly<Record<string, ProbePlan>> = {
  'tcp that expects a text': { kind: 'tcp', send: 'hello\r\n', expect: 'READY' },
  http,
  'http with a body': { ...http, body: '~^ok$' },
  'http with a digest': { ...http, digest: 'd41d8cd98f00b204e9800998ecf8427e' },
  https: { ...http, tls },
  'http/2': { ...http, version: 2, body: 'ok' },
  'http/2 over TLS': { ...http, version: 2, tls },
  smtp: { kind: 'smtp', helo: 'localhost' },
  fastcgi: { kind: 'fastcgi', path: '', body: '' },
  'fastcgi with a request': { kind: 'fastcgi', path: '/ping', body: 'pong' },
  uwsgi: { kind: 'uwsgi' },
  redis: { kind: 'redis', user: '', passwordFile: '', role: 'any' },
  mysql: { kind: 'mysql', user: 'portico' },
  amqp: { kind: 'amqp' },
}

const folder = mkdtempSync(join(tmpdir(), 'portico-checks-'))
const sleeper = join(folder, 'sleep.sh')
writeFileSync(sleeper, '#!/bin/sh\nsleep 30 & sleep 30\n', { mode: 0o755 })
const others: Readonly<Record<string, ProbePlan>> = {
  dns,
  ping: { kind: 'ping' },
  script: { kind: 'script', argv: [sleeper], folder, dynamic: false, env: [] },
  file: { kind: 'file', path: join(folder, 'none'), dynamic: false },
}

const open: { close(): void }[] = []
afterEach(() => {
  for (const each of open.splice(0)) each.close()
})
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

/** What has to fail by itself has that long, ms; what cannot is waited for in vain. */
const PATIENCE_MS = 3_000
const IN_VAIN_MS = 150
const late = new Error('no answer in time')

/** Why it is not well; fails where it is. Whatever happens, it is over soon after its time. */
async function refusal(
  plan: ProbePlan,
  address: Address,
  patience: number = PATIENCE_MS,
): Promise<Error> {
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(late), patience)
  const began = performance.now()
  const found = await createCheck(plan, 'nobody', NO_FILES)
    .probe({ address, first: null }, abort.signal)
    .then(
      () => null,
      (error: Error) => error,
    )
  clearTimeout(timer)
  expect(performance.now() - began).toBeLessThan(patience + 500)
  expect(found).toBeInstanceOf(Error)
  return found!
}

interface Peer {
  readonly address: Address
  /** Connections that are open. */
  readonly sockets: ReadonlySet<Socket>
  /** That it has sent, bytes. */
  readonly sent: () => number
}

async function peer(serve: (socket: Socket) => void): Promise<Peer> {
  const sockets = new Set<Socket>()
  let sent = 0
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => {
      sockets.delete(socket)
      sent += socket.bytesWritten
    })
    socket.on('error', () => {})
    socket.resume()
    serve(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push({
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  })
  const at = server.address()
  if (at === null || typeof at === 'string') throw new Error('no port')
  return {
    address: { kind: 'tcp', host: '127.0.0.1', port: at.port },
    sockets,
    sent: () => sent,
  }
}

const garbage = Buffer.from('deadbeef00ff41420a0d0aff00112233445566778899aabbccddeeff', 'hex')

describe.each(Object.entries(streams))('%s', (_name, plan) => {
  it('says that a connection is refused', async () => {
    const address = { kind: 'tcp', host: '127.0.0.1', port: await closedPort() } as const
    expect(await refusal(plan, address)).toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('gives up a port that says nothing, and its connection', async () => {
    const { address, sockets } = await peer(() => {})
    expect(await refusal(plan, address, IN_VAIN_MS)).toBe(late)
    await until(() => sockets.size === 0)
  })

  it('gives up a peer that is frozen', async () => {
    // Its kernel takes the connection, nobody else does.
    const { address, sockets } = await peer((socket) => socket.pause())
    expect(await refusal(plan, address, IN_VAIN_MS)).toBe(late)
    for (const socket of sockets) socket.resume()
    await until(() => sockets.size === 0)
  })

  it('refuses garbage', async () => {
    const { address, sockets } = await peer((socket) => socket.end(garbage))
    await refusal(plan, address)
    await until(() => sockets.size === 0)
  })

  it('refuses a connection that is closed at once', async () => {
    const { address } = await peer((socket) => socket.destroy())
    expect(await refusal(plan, address)).not.toBe(late)
  })

  it('refuses half an answer', async () => {
    const { address } = await peer((socket) =>
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n'),
    )
    expect(await refusal(plan, address)).not.toBe(late)
  })

  it('does not wait for ever for an answer that drips', async () => {
    const { address, sockets } = await peer((socket) => {
      const timer = setInterval(() => socket.write('2'), 10)
      socket.on('close', () => clearInterval(timer))
    })
    await refusal(plan, address, IN_VAIN_MS)
    await until(() => sockets.size === 0)
  })

  it('takes no more than it needs of a server that does not stop', async () => {
    const block = Buffer.alloc(65_536, '+')
    const { address, sockets, sent } = await peer((socket) => {
      const pour = (): void => {
        while (!socket.destroyed && socket.write(block));
      }
      socket.on('drain', pour)
      pour()
    })
    await refusal(plan, address)
    await until(() => sockets.size === 0)
    expect(sent()).toBeLessThan(32 * 1024 ** 2)
  })
})

describe.each(Object.entries({ ...streams, ...others }))('%s', (_name, plan) => {
  it('does nothing when it is too late already', async () => {
    const { address, sockets } = await peer(() => {})
    const probe = createCheck(plan, 'nobody', NO_FILES).probe(
      { address, first: null },
      AbortSignal.abort(late),
    )
    await expect(probe).rejects.toBe(late)
    expect(sockets.size).toBe(0)
  })
})

describe('dns', () => {
  async function nameServer(answer: (message: Buffer) => Buffer | null): Promise<Address> {
    const socket = createSocket('udp4')
    socket.on('message', (message, { port }) => {
      const back = answer(message)
      if (back !== null) socket.send(back, port, '127.0.0.1')
    })
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
    open.push(socket)
    return { kind: 'tcp', host: '127.0.0.1', port: socket.address().port }
  }

  it('says that nobody listens', async () => {
    const address = await nameServer(() => null)
    for (const each of open.splice(0)) each.close()
    expect(await refusal(dns, address)).toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('gives up one that says nothing', async () => {
    expect(await refusal(dns, await nameServer(() => null), IN_VAIN_MS)).toBe(late)
  })

  it('does not listen to who does not know what was asked', async () => {
    const wrongId = (message: Buffer): Buffer => {
      const back = Buffer.from(message)
      back[0]! ^= 0xff
      return back
    }
    expect(await refusal(dns, await nameServer(wrongId), IN_VAIN_MS)).toBe(late)
  })

  it('refuses a question in place of an answer, and garbage under the right number', async () => {
    expect((await refusal(dns, await nameServer((message) => message))).message).toMatch(/DNS/)
    const cut = (message: Buffer): Buffer => Buffer.concat([message.subarray(0, 2), garbage])
    expect((await refusal(dns, await nameServer(cut))).message).toMatch(/DNS/)
  })
})

describe('ping', () => {
  it('gives up a machine that does not answer', async () => {
    // Class E (RFC 1112 §4): nobody's.
    const nobody = { kind: 'tcp', host: '240.0.0.1', port: 1 } as const
    expect(await refusal({ kind: 'ping' }, nobody)).toBeInstanceOf(Error)
  })
})

describe('script', () => {
  it('kills all of a program that does not come back', async () => {
    const address = { kind: 'unix', path: '/nowhere' } as const
    expect(await refusal(others.script!, address, IN_VAIN_MS)).toBe(late)
  })
})
