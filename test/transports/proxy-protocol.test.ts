/** Servers that are told the visitor by the PROXY protocol: real nginx and HAProxy. */
import { Agent, request } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { PLAIN_TLS } from '../../src/site/pool-tls-plan.ts'
import { readProxyHeader } from '../../src/wire/proxy-protocol.ts'
import type { ProxyVersion } from '../../src/wire/proxy-protocol-writer.ts'
import { Haproxy } from '../flows/support/haproxy.ts'
import { freePort, Nginx } from '../flows/support/peers.ts'
import { get, rawBackend, until } from './backends.ts'
import { Authority, nginxTls } from './certificates.ts'
import { type Front, front, poolPlan, target } from './front.ts'

const open: { close(): void }[] = []
afterEach(() => {
  for (const each of open.splice(0)) each.close()
})

function keep<T extends { close(): void }>(made: T): T {
  open.push(made)
  return made
}

let ca: Authority
let nginx: Nginx
let secure = 0

beforeAll(async () => {
  ca = new Authority()
  secure = await freePort()
  const certificate = ca.issue(['DNS:localhost'])
  const answer = `location / { return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_port"; }`
  nginx = await Nginx.serve(
    (port) => `
      server { listen 127.0.0.1:${port} proxy_protocol; ${answer} }
      server { listen 127.0.0.1:${secure} ssl proxy_protocol; ${nginxTls(certificate)} ${answer} }
    `,
  )
})

afterAll(async () => {
  await nginx?.[Symbol.asyncDispose]()
  ca?.[Symbol.dispose]()
})

function behind(port: number, proxyProtocol: ProxyVersion, tls = false): Promise<Front> {
  const server = target(port)
  const plan = poolPlan([tls ? { ...server, scheme: 'https' } : server], {
    proxyProtocol,
    ...(tls ? { tls: PLAIN_TLS } : {}),
  })
  return front(plan, { files: { ca: ca.pem, certificate: '', key: '' } }).then(keep)
}

/** Over a connection of its own, or of the agent's; with the port that it came from. */
function visit(
  port: number,
  agent: Agent | false = false,
): Promise<{ from: number; body: string }> {
  return new Promise((resolve, reject) => {
    const req = request({ host: '127.0.0.1', port, agent, headers: { host: 'localhost' } })
    req.on('error', reject)
    req.on('response', (res) => {
      const from = req.socket?.localPort ?? 0
      let body = ''
      res.on('data', (chunk: Buffer) => {
        body += chunk
      })
      res.on('end', () => resolve({ from, body }))
    })
    req.end()
  })
}

describe.each(['v1', 'v2'] as const)('a server that is told the visitor, %s', (version) => {
  it('nginx', async () => {
    const { port } = await behind(nginx.port, version)
    for (let i = 0; i < 3; i++) {
      const { from, body } = await visit(port)
      expect(body).toBe(`127.0.0.1 ${from} ${port}`)
    }
  })

  it('nginx over TLS', async () => {
    const { port } = await behind(secure, version, true)
    for (let i = 0; i < 3; i++) {
      const { from, body } = await visit(port)
      expect(body).toBe(`127.0.0.1 ${from} ${port}`)
    }
  })

  it('HAProxy', async () => {
    // It tells nginx in turn whom it was told of.
    await using haproxy = await Haproxy.tcp(`127.0.0.1:${nginx.port} send-proxy`, ' accept-proxy')
    const { port } = await behind(haproxy.port, version)
    const { from, body } = await visit(port)
    expect(body).toBe(`127.0.0.1 ${from} ${port}`)
  })

  it('has a connection for each of a visitor’s', async () => {
    const seen: string[] = []
    const server = keep(
      await rawBackend((socket) => {
        socket.on('data', (chunk: Buffer) => {
          const header = chunk[0] === 13 || chunk[0] === 80 ? readProxyHeader(chunk) : null
          if (header !== null) seen.push(`${header.visitor?.address} ${header.visitor?.port}`)
          if (chunk.includes('\r\n\r\n', header?.length ?? 0)) {
            socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
          }
        })
      }),
    )
    const { port } = await behind(server.port, version)
    const agents = [0, 1].map(() => new Agent({ keepAlive: true, maxSockets: 1 }))
    const froms = new Set<number>()
    for (let i = 0; i < 6; i++) froms.add((await visit(port, agents[i % 2])).from)
    expect(froms.size).toBe(2)
    expect(seen).toEqual([...froms].map((from) => `127.0.0.1 ${from}`))
    for (const agent of agents) agent.destroy()
  })
})

describe('a server that is told the visitor', () => {
  it('keeps no more idle connections than others, the newest', async () => {
    const server = keep(
      await rawBackend((socket) => {
        socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
      }),
    )
    const plan = poolPlan([target(server.port)], { proxyProtocol: 'v2', keepAlive: 2 })
    const { port } = keep(await front(plan))
    for (let i = 0; i < 5; i++) await get(port, '/')
    await until(() => server.sockets.size === 2)
    expect(server.accepted).toBe(5)
  })
})
