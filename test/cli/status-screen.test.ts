import { describe, expect, test } from 'vitest'
import { drawScreen, SORTS, type View } from '../../src/cli/status-screen.ts'
import { showRequests, showStatus } from '../../src/cli/status-text.ts'
import type { SiteStatus } from '../../src/supervisor/status.ts'
import { appStatus, siteStatus, timesOf, workerStatus } from '../stats/site-status.ts'

const view: View = {
  columns: 140,
  rows: 24,
  sort: 'activity',
  reversed: false,
  color: false,
  host: 'web1',
  trouble: '',
  time: new Date('2026-11-21T14:55:01'),
}

const workers = [
  workerStatus({ slot: 0, pid: 101, requests: 500, runMs: 900, rss: 1 }),
  workerStatus({ slot: 1, pid: 102, requests: 300, runMs: 700, rss: 2, inHand: 0 }),
]
const before = siteStatus({
  apps: { shop: appStatus({ workers, requests: 800, served: timesOf([1, 800]) }) },
})
const later = siteStatus({
  apps: {
    shop: appStatus({
      requests: 1_000,
      served: timesOf([1, 900], [40, 100]),
      workers: [
        { ...workers[0]!, requests: 550, runMs: 1_000 },
        { ...workers[1]!, requests: 450, runMs: 1_450 },
      ],
    }),
  },
})

/** Where the workers stand, in their order. */
function order(more: Partial<View>): string[] {
  const lines = drawScreen(later, { status: before, ms: 2_000 }, { ...view, ...more })
  return lines.flatMap((line) => /^ (shop:\d)/.exec(line)?.[1] ?? [])
}

describe('the live view', () => {
  test('shows rates and times of the last interval, the busiest worker first', () => {
    const text = drawScreen(later, { status: before, ms: 2_000 }, view).join('\n')
    expect(text).toMatch(/portico-0\.1\.0 - 14:55:01 - req: 2000 - RPS: 0 - lq: 4 - tx: 0\/s/)
    expect(text).toMatch(/APP +STATE +WORKERS +BUSY +QUEUE +REQ +RPS .*P99/)
    expect(text).toMatch(/shop running +1 +1 +4 +1000 +100 /)
    // Half of the last 200 took 1 ms, half 40.
    expect(text).toMatch(/ 100 .* 20\.5ms +1\.00ms +49\.4ms/)
    const rows = text.split('\n').filter((line) => line.startsWith(' shop:'))
    expect(rows[0]).toMatch(/^ shop:1 +45\.0 +102 +450 +75 .* idle +5\.00ms/)
    expect(rows[1]).toMatch(/^ shop:0 +55\.0 +101 +550 +25 .* busy +2\.00ms/)
  })

  test('shows the servers of pools, and which are down', () => {
    const server = (name: string, more: object): object => ({
      ...{ server: name, order: 'ready', backup: false, out: false, effective: 3, active: 2 },
      ...{ check: 'tcp', checks: 5, failures: 0, lastMs: 1.5, verdict: 'up', why: '', since: 1 },
      ...more,
    })
    const why = `connection refused ${'x'.repeat(300)}`
    const servers = [server('10.0.0.1:80', {}), server('10.0.0.2:80', { verdict: 'down', why })]
    const pools = { backend: { servers } } as unknown as SiteStatus['pools']
    const all = drawScreen({ ...later, pools }, null, { ...view, color: true })
    const row = (text: string): string => all.find((line) => line.includes(text)) ?? ''
    expect(row('10.0.0.1')).toMatch(/^\x1b\[32m backend 10\.0\.0\.1:80 +3 +2 +1\.50ms up/)
    expect(row('10.0.0.2')).toMatch(/^\x1b\[31m backend 10\.0\.0\.2:80 .*down: connection refused/)
    expect(row('POOL')).toMatch(/POOL +SERVER +WEIGHT +IN HAND +CHECK STATE/)
    expect(row('shop:0')).not.toBe('')
    const low = drawScreen({ ...later, pools }, null, { ...view, rows: 9 })
    expect(low).toHaveLength(9)
  })

  test('sorts as it is told', () => {
    expect(order({})).toEqual(['shop:1', 'shop:0'])
    expect(order({ reversed: true })).toEqual(['shop:0', 'shop:1'])
    expect(SORTS.map((sort) => order({ sort })[0])).toEqual([
      'shop:1',
      'shop:0',
      'shop:1',
      'shop:1',
      'shop:0',
    ])
  })

  test('no line is wider than the terminal, and there are no more than fit, however small it is', () => {
    const many = siteStatus({
      apps: Object.fromEntries(
        Array.from({ length: 30 }, (_, i) => [
          `application${i}`,
          appStatus({ workers: [workerStatus({ pid: i })] }),
        ]),
      ),
    })
    for (const columns of [1, 20, 40, 80, 200]) {
      for (const rows of [1, 2, 3, 5, 10, 24, 100]) {
        const lines = drawScreen(many, null, { ...view, columns, rows })
        expect(lines.length).toBeLessThanOrEqual(rows)
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns)
      }
    }
    const narrow = drawScreen(many, null, { ...view, columns: 60 }).join('\n')
    expect(narrow).toMatch(/ APP .*RPS .*P99/)
    expect(narrow).toMatch(/… \d+ more/)
  })

  test('colours add no width, and the site’s words cannot draw', () => {
    const evil = siteStatus({ site: '\x1b[2J\x9b' })
    const lines = drawScreen(evil, null, { ...view, color: true, columns: 50 })
    for (const line of lines) {
      const plain = line.replace(/\x1b\[\d*m/g, '')
      expect(plain.length).toBeLessThanOrEqual(50)
      expect(plain).toMatch(/^[\x20-\x7e…]*$/)
    }
  })

  test('says that the site does not answer, and keeps what it knew', () => {
    const lines = drawScreen(later, null, { ...view, trouble: 'not running: nobody answers' })
    expect(lines[1]).toBe('not running: nobody answers')
    expect(lines.join('\n')).toContain('shop:1')
  })
})

test('the plain status has workers with their last restart, and routes', () => {
  const text = showStatus(siteStatus())
  expect(text).toMatch(
    /shop +running +1 +1 +4 +1000 +10 +3\.27ms .* 3 \(1 deadline, 1 signal, 1 parent\)/,
  )
  expect(text).toMatch(/shop 0 +4711 .* 20\.0 MiB +2026-11-21 14:00:00 signal \(SIGKILL\)/)
  expect(text).toMatch(/www\.example\.com \/ +1000 +2 +10 /)
  expect(text).not.toContain('no route')
  expect(text).not.toContain('job worker')
})

test('the plain status has job workers, and why the last reload failed in one line', () => {
  const role = { slot: 8, pid: 4720, restarts: 1, uptimeMs: 60_000 }
  const roles = [
    { ...role, kind: 'jobs' },
    { ...role, kind: 'mule', slot: 9 },
  ]
  const message = 'application shop did not load: Traceback:\n  File "shop.py"\nNameError: x'
  const at = '2026-11-21T14:00:00.000Z'
  const text = showStatus(
    siteStatus({
      apps: { shop: appStatus({ roles }) },
      lastReload: { ok: false, message, generation: 1, at },
    }),
  )
  expect(text).toMatch(/^job worker +pid +age +restarts\nshop 8 +4720 +1 min 0 s +1$/m)
  expect(text).not.toContain('shop 9')
  expect(text).toContain('failed: application shop did not load: Traceback: … NameError: x\n')
})

test('requests are listed without what a terminal obeys', () => {
  const one = {
    method: 'GET',
    target: '/a\x9b2J',
    host: 'www.example.com',
    route: { host: '*', path: '/' },
    app: 'shop',
    pid: 101,
    slot: 0,
    ageMs: 2_500,
    peer: '10.0.0.1',
    sent: 10,
    status: 0,
    generation: 1,
  }
  expect(showRequests({ total: 2, requests: [one] })).toMatch(
    /2\.5 s +- +10 B +shop +101 +10\.0\.0\.1 +GET www\.example\.com\/a\?2J\n… 1 more/,
  )
  expect(showRequests({ total: 0, requests: [] })).toBe('nothing is in hand\n')
})
