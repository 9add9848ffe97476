/** Connections to servers are kept and used again, and people are told. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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
    expect(pools.nobody?.servers[0]?.connections).toEqual({ opened: 0, reused: 0 })
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
})
