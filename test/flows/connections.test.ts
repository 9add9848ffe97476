/** Connections to servers are kept and used again, and people are told. */
import { createSocket } from 'node:dgram'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { closedPort } from '../transports/backends.ts'
import { Nginx, wrk } from './support/peers.ts'
import { Portico } from './support/portico.ts'
import { ask } from './support/visitor.ts'

let nginx: Nginx
beforeAll(async () => {
  nginx = await Nginx.serve(
    (port) =>
      `keepalive_requests 1000000; server { listen 127.0.0.1:${port}; location / { return 200 ok; } }`,
  )
})
afterAll(async () => {
  await nginx[Symbol.asyncDispose]()
})

describe('connections to a server', () => {
  it('are used again, and counted for all threads', async () => {
    await using portico = await Portico.serve({
      'site.yaml': `
listen: "127.0.0.1:0"
threads: 2
routes: { /: { proxy: backend }, /metrics: { metrics: true } }
pools:
  backend: { servers: ["127.0.0.1:${nginx.port}"] }
  nobody: { servers: ["127.0.0.1:1"] }
`,
    })
    const { requests, bad } = await wrk(`http://127.0.0.1:${portico.port}/`, '-c16', '-d1s')
    expect(bad).toBe(0)
    const { pools } = await portico.status()
    const { opened = 0, reused = 0 } = pools.backend?.servers[0]?.connections ?? {}
    expect(opened + reused).toBeGreaterThanOrEqual(requests)
    // Each thread has as many as it has requests in hand at a time.
    expect(opened).toBeLessThanOrEqual(32)
    expect(pools.nobody?.servers[0]?.connections).toEqual({
      opened: 0,
      failed: 0,
      reused: 0,
    })
    const { text } = await ask(portico.port, '/metrics')
    expect(text).toMatch(
      /portico_pool_server_connections_opened_total\{pool="backend",server="127[^}]*\} \d+/,
    )
    expect(text).toMatch(/portico_pool_server_connections_reused_total\{[^}]*\} \d{2,}/)
  })

  it('over HTTP/2 are one for each thread', async () => {
    await using server = await Nginx.serve(
      (port) =>
        `keepalive_requests 1000000; server { listen 127.0.0.1:${port} http2; location / { return 200 ok; } }`,
    )
    await using portico = await Portico.serve({
      'site.yaml': `
listen: "127.0.0.1:0"
threads: 2
routes: { /: { proxy: "h2c://127.0.0.1:${server.port}" } }
`,
    })
    const { requests, bad, socketErrors } = await wrk(
      `http://127.0.0.1:${portico.port}/`,
      '-c16',
      '-d1s',
    )
    expect([bad, socketErrors]).toEqual([0, 0])
    const { pools } = await portico.status()
    const [pool] = Object.values(pools)
    const { opened = 0, reused = 0 } = pool?.servers[0]?.connections ?? {}
    expect(opened).toBeLessThanOrEqual(2)
    expect(opened + reused).toBeGreaterThanOrEqual(requests)
  })

  it('that could not be made are told apart', async () => {
    const gone = await closedPort()
    await using portico = await Portico.serve({
      'site.yaml': `
listen:
  - "127.0.0.1:0"
  - { on: "tcp://127.0.0.1:0", pool: tcp }
  - { on: "udp://127.0.0.1:0", pool: udp, responses: 1 }
threads: 1
routes: { /: { proxy: http }, /h2: { proxy: h2 }, /tls: { proxy: tls }, /metrics: { metrics: true } }
pools:
  http: { servers: ["127.0.0.1:${gone}", "127.0.0.1:${nginx.port}"] }
  h2: { servers: ["h2c://127.0.0.1:${gone}"] }
  tls: { servers: ["https://127.0.0.1:${nginx.port}"] }
  tcp: { servers: ["127.0.0.1:${gone}", "127.0.0.1:${nginx.port}"] }
  udp: { servers: ["127.0.0.1:${gone}"] }
`,
    })
    const { status, text } = await ask(portico.port, '/')
    expect([status, text]).toEqual([200, 'ok'])
    for (const path of ['/h2', '/tls']) expect((await ask(portico.port, path)).status).toBe(502)
    const portOf = (nth: number): number => Number(new URL(portico.urls[nth]!).port)
    expect((await ask(portOf(1), '/')).text).toBe('ok')
    const socket = createSocket('udp4')
    socket.send('?', portOf(2), '127.0.0.1')
    const connections = async (pool: string): Promise<unknown> =>
      (await portico.status()).pools[pool]?.servers.map((server) => server.connections)
    const failed = { opened: 0, failed: 1, reused: 0 }
    const opened = { opened: 1, failed: 0, reused: 0 }
    expect(await connections('http')).toEqual([failed, opened])
    expect(await connections('h2')).toEqual([failed])
    expect(await connections('tls')).toEqual([failed])
    expect(await connections('tcp')).toEqual([failed, opened])
    await expect.poll(() => connections('udp')).toEqual([failed])
    socket.close()
    expect((await ask(portico.port, '/metrics')).text).toContain(
      `portico_pool_server_connections_failed_total{pool="http",server="127.0.0.1:${gone}"} 1\n`,
    )
  })
})
