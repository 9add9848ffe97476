/** A server whose check is well again takes a growing part of the requests, in all threads alike. */
import { expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { NginxServer } from './support/nginx-server.ts'
import { Portico } from './support/portico.ts'
import { ask } from './support/visitor.ts'

test('after its check', async () => {
  const servers = await NginxServer.start('a', 'b')
  await using _a = servers[0]!
  await using b = servers[1]!
  await using portico = await Portico.serve({
    'site.yaml': `
listen: "127.0.0.1:0"
threads: 2
log: { access: "off" }
routes: { /: { proxy: two } }
pools:
  two:
    servers: [${servers.map(({ address }) => `"${address}"`).join(', ')}]
    check: { tcp: true, every: 200ms, rise: 1, fall: 1 }
    slow-start: 2s
`,
  })
  const share = async (): Promise<number> => {
    let count = 0
    for (let i = 0; i < 60; i++) if ((await ask(portico.port, '/')).text === 'b') count++
    return count / 60
  }
  expect(await share()).toBe(0.5)
  await b.end('SIGKILL')
  await portico.logged(/down/)
  expect(await share()).toBe(0)
  await b.start()
  await until('b', async () => (await ask(portico.port, '/')).text === 'b')
  const first = await share()
  expect(first).toBeLessThan(0.35)
  await until('all of its share', async () => (await share()) === 0.5, 10_000)
})
