import { expect, it } from 'vitest'
import { systemClock } from '../../src/background/clock.ts'
import { Timer } from '../../src/background/timers.ts'
import type { TimerPlan } from '../../src/site/background-plan.ts'
import { until } from '../supervisor/site.ts'
import { FakeClock, FakeRuns, hour, second, taskPlan } from './support/fake-clock.ts'

const timerPlan = (change: Partial<TimerPlan> = {}): TimerPlan => ({
  ...taskPlan({ overlap: 'allow' }),
  everyMs: 10 * second,
  times: 0,
  jitterMs: 0,
  ...change,
})

function started(change: Partial<TimerPlan> = {}, random = 0): [FakeClock, FakeRuns, Timer] {
  const clock = new FakeClock('2026-03-01T00:00:00Z')
  const runs = new FakeRuns(clock)
  const plan = timerPlan(change)
  return [clock, runs, new Timer(plan, runs.task(plan), clock, () => random)]
}

it('rings on its beat, first after one interval, until it is stopped', () => {
  const [clock, runs, timer] = started()
  expect(timer.next).toBe(clock.now() + 10 * second)
  clock.pass(10 * second - 1)
  expect(runs.begun).toHaveLength(0)
  clock.pass(1)
  expect(runs.begun).toHaveLength(1)
  clock.pass(90 * second)
  expect(runs.begun).toHaveLength(10)
  timer.stop()
  clock.pass(hour)
  expect([runs.begun.length, clock.alarms]).toEqual([10, 0])
})

it('goes by the time that passes, whatever the clock shows', () => {
  const [clock, runs] = started()
  clock.leap(-hour)
  clock.pass(20 * second)
  clock.leap(hour)
  clock.pass(second)
  expect(runs.begun).toHaveLength(2)
})

it('keeps its beat in spite of jitter', () => {
  const [clock, runs] = started({ jitterMs: 4 * second }, 0.5)
  clock.pass(12 * second)
  expect(runs.begun).toHaveLength(1)
  clock.pass(10 * second)
  expect(runs.begun).toHaveLength(2)
})

it('rings so many times, also over a reload, which keeps the beat', () => {
  const [clock, runs, first] = started({ times: 3 })
  clock.pass(25 * second)
  first.stop()
  const plan = timerPlan({ times: 3, overlap: 'queue' })
  const timer = new Timer(plan, runs.task(plan), clock, () => 0, first)
  clock.pass(5 * second)
  expect(runs.begun).toHaveLength(3)
  expect(timer.next).toBeNull()
  clock.pass(hour)
  expect(runs.begun).toHaveLength(3)
})

it('rings in real time', async () => {
  const clock = new FakeClock('2026-03-01T00:00:00Z')
  const runs = new FakeRuns(clock)
  const plan = timerPlan({ everyMs: 100 })
  const beganAt = performance.now()
  const timer = new Timer(plan, runs.task(plan), systemClock, () => 0)
  await until('five runs', () => runs.begun.length >= 5)
  timer.stop()
  expect(performance.now() - beganAt).toBeGreaterThanOrEqual(499)
})
