/** Which worker is ended: the one that runs what nobody waits for, and no other. */
import { describe, expect, test } from 'vitest'
import { SlowRequests } from '../../src/supervisor/slow-requests.ts'

const request = 'GET /index.php?a'

describe('SlowRequests', () => {
  test('the server first, the service later', () => {
    const slow = new SlowRequests()
    expect(slow.abandon({ request, sentAt: 1000, endedAt: 61_000 })).toBe(0)
    expect(slow.runs({ pid: 7, request, beganAt: 1010 })).toBe(true)
    // Once is enough.
    expect(slow.runs({ pid: 8, request, beganAt: 1010 })).toBe(false)
  })

  test('the service first, the server later', () => {
    const slow = new SlowRequests()
    expect(slow.runs({ pid: 7, request, beganAt: 1010 })).toBe(false)
    expect(slow.abandon({ request, sentAt: 1000, endedAt: 300_000 })).toBe(7)
    expect(slow.abandon({ request, sentAt: 1000, endedAt: 300_000 })).toBe(0)
  })

  test.each([
    ['another request', { pid: 7, request: 'GET /index.php?b', beganAt: 1010 }],
    ['begun before it was sent', { pid: 7, request, beganAt: -5000 }],
    ['begun after it was given up', { pid: 7, request, beganAt: 70_000 }],
  ])('%s is spared', (_, running) => {
    const slow = new SlowRequests()
    slow.abandon({ request, sentAt: 1000, endedAt: 61_000 })
    expect(slow.runs(running)).toBe(false)
  })

  test('it may have waited for its worker', () => {
    const slow = new SlowRequests()
    slow.abandon({ request, sentAt: 1000, endedAt: 61_000 })
    expect(slow.runs({ pid: 7, request, beganAt: 30_000 })).toBe(true)
  })

  test('a long request line is compared as far as the service remembers it', () => {
    const slow = new SlowRequests()
    slow.abandon({ request: `GET /${'x'.repeat(500)}`, sentAt: 0, endedAt: 1 })
    expect(slow.runs({ pid: 7, request: `GET /${'x'.repeat(124)}`, beganAt: 0 })).toBe(true)
  })

  test('a worker that has ended is forgotten', () => {
    const slow = new SlowRequests()
    slow.runs({ pid: 7, request, beganAt: 1010 })
    slow.forget(7)
    expect(slow.abandon({ request, sentAt: 1000, endedAt: 61_000 })).toBe(0)
  })
})
