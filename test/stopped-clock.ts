/** Time that passes only when a test says so: `performance.now` and the coarse clock. */
import { afterEach, beforeEach, vi } from 'vitest'
import { clock } from '../src/request/clock.ts'

/** For all tests of a file, each from `start` on, ms. What is returned lets so many ms pass. */
export function stoppedClock(start: number): (ms: number) => void {
  let now = start
  beforeEach(() => {
    now = start
    vi.spyOn(performance, 'now').mockImplementation(() => now)
    clock.now = now
  })
  afterEach(() => {
    vi.restoreAllMocks()
    clock.now = performance.now()
  })
  return (ms) => {
    now += ms
    clock.now = now
  }
}
