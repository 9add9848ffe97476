/** What the supervisor keeps of the health of servers, and says about it. */
import { describe, expect, it } from 'vitest'
import type { HealthReport } from '../../src/balance/health-report.ts'
import { keyOf } from '../../src/balance/health-report.ts'
import type { CheckPlan } from '../../src/site/check-plan.ts'
import type { PoolPlan, TargetPlan } from '../../src/site/plan.ts'
import { createLogger } from '../../src/supervisor/logger.ts'
import { PoolHealth } from '../../src/supervisor/pool-health.ts'
import { PoolHooks } from '../../src/supervisor/pool-hooks.ts'
import { poolPlan, target } from '../transports/front.ts'
import { until } from './site.ts'

function checked(port: number, more: Partial<CheckPlan> = {}): TargetPlan {
  const plain = target(port)
  const check: CheckPlan = {
    name: 'tcp',
    address: plain.address,
    probe: { kind: 'tcp', send: '', expect: '' },
    everyMs: 2_000,
    fastMs: 500,
    downMs: 2_000,
    jitter: 0.1,
    timeoutMs: 1_000,
    rise: 2,
    fall: 3,
    start: 'up',
    ...more,
  }
  return { ...plain, check }
}

function report(port: number, more: Partial<HealthReport> = {}): HealthReport {
  return {
    pool: 'backend',
    server: `127.0.0.1:${port}`,
    check: 'tcp',
    verdict: 'down',
    since: 10_000,
    why: 'connection refused',
    weight: -1,
    answers: 3,
    tookMs: 1_234,
    ...more,
  }
}

interface Known {
  readonly health: PoolHealth
  readonly hooks: PoolHooks
  readonly lines: string[]
}

function keeper(longestMs?: number): Known {
  const lines: string[] = []
  const sink = { write: (text: string) => lines.push(JSON.parse(text).message) }
  const logger = createLogger(sink, { format: 'json', colours: false, level: 'info' })
  const hooks = new PoolHooks(logger, () => null, longestMs)
  const health = new PoolHealth(logger, hooks)
  health.serve(1, { pools: {} })
  return { health, hooks, lines }
}

const site = (...pools: readonly PoolPlan[]): { pools: Record<string, PoolPlan> } => ({
  pools: Object.fromEntries(pools.map((pool) => [pool.name, pool])),
})

describe('a finding', () => {
  const plan = site(poolPlan([checked(1), checked(2)]))

  it('is told once, with why, how and how many are left', () => {
    const { health, lines } = keeper()
    health.found(1, report(1, { verdict: 'up', why: '', answers: 1 }), plan)
    health.found(1, report(1), plan)
    health.found(1, report(1), plan)
    health.found(1, report(2), plan)
    health.found(1, report(2, { verdict: 'up', why: '', since: 75_000, answers: 2 }), plan)
    health.found(1, report(2, { verdict: 'up', why: '', weight: 7 }), plan)
    // Of a generation that is gone.
    health.found(1, report(3), plan)
    expect(lines).toEqual([
      'pool backend: 127.0.0.1:1 is down: connection refused (tcp, 3 checks in 1.2 s); 1 of 2 are up',
      'pool backend: 127.0.0.1:2 is down: connection refused (tcp, 3 checks in 1.2 s); 0 of 2 are up',
      'pool backend: no server is left',
      'pool backend: 127.0.0.1:2 is up again after 1 min (tcp, 2 checks in 1.2 s); 1 of 2 are up',
      'pool backend: 127.0.0.1:2 weighs 7 now',
    ])
  })

  it('of a generation that does not serve counts when it does, and never when it does not', () => {
    const { health, lines } = keeper()
    const known = (): unknown => Object.values(health.before(1, plan).findings)
    // A reload that fails: its check may have been wrong.
    health.found(2, report(1), plan)
    expect([known(), lines]).toEqual([[], []])
    health.found(3, report(2), plan)
    health.serve(3, plan)
    expect(known()).toMatchObject([{ verdict: 'down' }])
    expect(lines).toEqual([expect.stringMatching(/127.0.0.1:2 is down/)])
    health.found(1, report(1), plan)
    expect(lines).toHaveLength(1)
  })

  it('goes to the next generation, which hears whether the check is still the same', () => {
    const { health } = keeper()
    health.found(1, report(1), plan)
    const same = (target: TargetPlan): unknown =>
      health.before(1, site(poolPlan([target]))).findings[keyOf('backend', target.name)]?.same
    expect(same(checked(1))).toBe(true)
    expect(same(checked(1, { fall: 5, everyMs: 1 }))).toBe(true)
    expect(same(checked(1, { probe: { kind: 'tcp', send: 'x', expect: '' } }))).toBe(false)
    expect(same(target(1))).toBe(false)
    expect(same(checked(2))).toBeUndefined()
    health.serve(2, site(poolPlan([checked(2)])))
    expect(same(checked(1))).toBeUndefined()
  })
})

describe('an order', () => {
  const plan = site(poolPlan([checked(1), checked(2)]), poolPlan([target(1)], { name: 'other' }))

  it('is kept for whoever comes next, and says what it did', () => {
    const { health } = keeper()
    expect(health.order(plan, 'backend', 'http://127.0.0.1:1', 'drain')).toEqual({
      server: '127.0.0.1:1',
      message:
        'pool backend: 127.0.0.1:1 is being drained: only visitors that belong to it still come; 1 of 2 take requests',
    })
    expect(health.order(plan, 'backend', '127.0.0.1:1', 'drain').message).toMatch(/ already$/)
    expect(health.before(1, plan).orders).toEqual({ [keyOf('backend', '127.0.0.1:1')]: 'drain' })
    health.order(plan, 'backend', '127.0.0.1:1', 'ready')
    expect(health.before(1, plan).orders).toEqual({})
  })

  it('given while a generation was being started is told to it when it serves', () => {
    const { health } = keeper()
    health.order(plan, 'backend', '127.0.0.1:1', 'drain')
    health.before(2, plan)
    health.order(plan, 'backend', '127.0.0.1:1', 'ready')
    health.order(plan, 'backend', '127.0.0.1:2', 'maint')
    expect(health.serve(2, plan)).toEqual([
      ['backend', '127.0.0.1:1', 'ready'],
      ['backend', '127.0.0.1:2', 'maint'],
    ])
    health.before(3, plan)
    expect(health.serve(3, plan)).toEqual([])
  })

  it('for nobody is refused, with the nearest name', () => {
    const { health } = keeper()
    expect(health.order(plan, 'bakend', '127.0.0.1:1', 'drain')).toEqual({
      server: '',
      message: 'there is no pool called bakend; did you mean backend?',
    })
    expect(health.order(plan, 'backend', '10.9.9.9:1', 'drain').message).toBe(
      'there is no server of backend called 10.9.9.9:1; there are 127.0.0.1:1, 127.0.0.1:2',
    )
  })
})

describe('hooks', () => {
  const command = (text: string): readonly string[] => ['/bin/sh', '-c', text]

  it('are killed when they do not come back, and left out when there are too many', async () => {
    const { hooks, lines } = keeper(100)
    const plan = { up: [], down: command('sleep 60'), folder: '/' }
    for (let i = 0; i < 80; i++) hooks.run(plan, report(i), 0, 1)
    // Nothing is to be run for this one.
    hooks.run(plan, report(1, { verdict: 'up' }), 0, 1)
    await until('one that is killed', () =>
      lines.some((line) => / has run for 0.1 s: killed/.test(line)),
    )
    expect(lines.filter((line) => /is left out: 64 others wait/.test(line))).toHaveLength(12)
    await hooks.close()
    const { length } = lines
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(lines.slice(length).filter((line) => !/killed|SIG/.test(line))).toEqual([])
  })
})
