import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DATAGRAM, packLines, statsdLines } from '../../src/stats/statsd.ts'
import { pushStatsd } from '../../src/stats/statsd-push.ts'
import { until } from '../supervisor/site.ts'
import { appStatus, siteStatus, timesOf } from './site-status.ts'

const plain = { prefix: 'portico', tagged: false }

describe('lines', () => {
  const before = siteStatus()
  const now = siteStatus({
    apps: {
      shop: appStatus({ requests: 1_050, served: timesOf([0.3, 940], [30, 110]) }),
      blog: appStatus({ requests: 7, reasons: { memory: 1 } }),
    },
  })

  test('counters are told as what came since, gauges as they are, times with a sample rate', () => {
    const lines = statsdLines(now, before, plain)
    expect(lines).toContain('portico.app.shop.requests:50|c')
    expect(lines).toContain('portico.app.blog.requests:7|c')
    expect(lines).toContain('portico.app.blog.restarts.memory:1|c')
    expect(lines).toContain('portico.app.shop.waiting:4|g')
    expect(lines).toContain('portico.app.shop.service:0.35|ms|@0.025')
    expect(lines).toContain('portico.app.shop.service:35|ms|@0.1')
    expect(lines.filter((line) => line.includes('route'))).toEqual([
      'portico.route.none.none.active:0|g',
      'portico.route.www_example_com.root.active:2|g',
      'portico.route.any.a_b.active:2|g',
    ])
  })

  test('at first there is nothing to compare with: gauges alone', () => {
    const lines = statsdLines(now, null, plain)
    expect(lines.length).toBeGreaterThan(10)
    expect(lines.every((line) => line.endsWith('|g'))).toBe(true)
  })

  test('what counts less than before has begun anew', () => {
    const again = siteStatus({ apps: { shop: appStatus({ requests: 5 }) } })
    expect(statsdLines(again, before, plain)).toContain('portico.app.shop.requests:5|c')
  })

  test('labels are tags for Datadog’s agent', () => {
    const lines = statsdLines(now, before, { prefix: 'web1', tagged: true })
    expect(lines).toContain('web1.app.requests:50|c|#app:shop')
    expect(lines).toContain('web1.route.active:2|g|#host:www.example.com,route:/')
    expect(lines).toContain('web1.app.service:0.35|ms|@0.025|#app:shop')
  })

  test('whatever a site is called, each is a line that every receiver understands', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.boolean(), (host, path, tagged) => {
        const [, route] = before.routes
        const odd = siteStatus({ routes: [{ ...route!, host, path }] })
        for (const line of statsdLines(odd, null, { prefix: 'p', tagged })) {
          expect(line).toMatch(
            tagged ? /^p(\.[a-z_]+)+:[\d.]+\|g(\|#[^|#\n]*)?$/ : /^p(\.[A-Za-z0-9_-]+)+:[\d.]+\|g$/,
          )
        }
      }),
    )
  })

  test('are packed into datagrams that no network cuts, none lost', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z.]{1,200}$/), { maxLength: 100 }), (lines) => {
        const datagrams = packLines(lines)
        expect(datagrams.every((one) => one.length <= DATAGRAM)).toBe(true)
        expect(datagrams.flatMap((one) => one.toString().split('\n'))).toEqual(lines)
      }),
    )
  })
})

test('a real receiver gets the deltas, again and again; one that is absent harms nobody', async () => {
  const receiver = createSocket('udp4')
  const lines: string[] = []
  receiver.on('message', (datagram) => lines.push(...datagram.toString().split('\n')))
  receiver.bind(0, '127.0.0.1')
  await once(receiver, 'listening')
  let requests = 1_000
  const figures = {
    status: async () => {
      requests += 10
      return siteStatus({ apps: { shop: appStatus({ requests }) } })
    },
    requests: async () => ({ total: 0, requests: [] }),
  }
  const { port } = receiver.address()
  const push = pushStatsd({ host: '127.0.0.1', port, everyMs: 20, ...plain }, figures)
  const deltas = (): string[] =>
    lines.filter((line) => line.startsWith('portico.app.shop.requests'))
  await until('three deltas', () => deltas().length >= 3)
  expect(new Set(deltas())).toEqual(new Set(['portico.app.shop.requests:10|c']))
  receiver.close()
  const seen = requests
  await until('it to go on', () => requests >= seen + 30)
  push.close()
})
