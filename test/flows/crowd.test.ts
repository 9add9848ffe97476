/** A crowd of visitors that say nothing, or a byte a second: others are served as if they were alone. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Load } from './support/load.ts'
import { Portico, PYTHON } from './support/portico.ts'
import { Visitor } from './support/visitor.ts'

const IDLE = 2_000
const SLOW = 500

test('2000 idle and 500 slow connections', async () => {
  await using portico = await Portico.serve({
    'site.yaml': `
listen: { on: "127.0.0.1:0", backlog: 4096 }
threads: 2
routes: { "/": { app: shop } }
apps: { shop: { python: shop, interpreter: ${PYTHON}, workers: 2 } }
`,
    'shop.py': `
def application(environ, start_response):
    data = environ["wsgi.input"].read()
    body = ("%s %d" % (environ["PATH_INFO"], len(data))).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
`,
  })
  await portico.settled()
  const crowd: Visitor[] = []
  try {
    for (let i = 0; i < IDLE + SLOW; i += 100) {
      const more = await Promise.all(Array.from({ length: 100 }, () => Visitor.to(portico.port)))
      crowd.push(...more)
    }
    const [idle, slow] = [crowd.slice(0, IDLE), crowd.slice(IDLE)]
    // Half of the idle ones have been served before, half of the slow ones dribble a body.
    await Promise.all(idle.filter((_, i) => i % 2).map((visitor) => visitor.ask('/before')))
    const pieces = slow.map((visitor, i) => {
      const head = `POST /slow${i} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\n`
      if (i % 2) visitor.send(head)
      return [...(i % 2 ? '12345678' : head.slice(0, -4))]
    })
    await until('everybody to be there', async () => {
      return (await portico.status()).totals.connections.open >= IDLE + SLOW
    })

    await using load = new Load(portico.port, {
      kept: 4,
      fresh: 1,
      pauseMs: 5,
      request: (n) => `POST /${n} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello`,
      answered: (n, _status, body) => expect(body).toBe(`/${n} 5`),
    })
    for (let second = 0; second < 4; second++) {
      for (const [i, visitor] of slow.entries()) visitor.send(pieces[i]?.shift() ?? '')
      await sleep(1_000)
    }
    const { lost, sent, answered, statuses, slowestMs } = await load.stop()
    expect(lost).toEqual([])
    expect(answered).toBe(sent)
    expect(Object.keys(statuses)).toEqual(['200'])
    expect(sent).toBeGreaterThan(500)
    expect(slowestMs).toBeLessThan(1_000)

    // The slow ones are served too when they are done.
    for (const [i, visitor] of slow.entries()) {
      visitor.send((pieces[i] ?? []).join(''))
      if (i % 2 === 0) visitor.send('\r\n\r\n12345678')
    }
    const replies = await Promise.all(slow.map((visitor) => visitor.reply()))
    expect(replies.map(({ text }) => text)).toEqual(slow.map((_, i) => `/slow${i} 8`))
    expect((await idle[0]?.ask('/idle'))?.text).toBe('/idle 0')
    expect((await idle.at(-1)?.ask('/idle'))?.text).toBe('/idle 0')
    expect((await portico.status()).server.restarts).toBe(0)
  } finally {
    for (const visitor of crowd) visitor.leave()
  }
}, 40_000)
