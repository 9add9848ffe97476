/** What is said of slow requests: enough to find the reason, never so much that the log drowns. */
import { expect, test } from 'vitest'
import type { Logger } from '../../src/supervisor/logger.ts'
import { SlowLog, type SlowReport } from '../../src/supervisor/slow-log.ts'

interface Line {
  readonly message: string
  readonly fields: object
}

class Said {
  readonly lines: Line[] = []
  now = 0
  readonly log: SlowLog = new SlowLog(
    'shop',
    { warn: (message, fields = {}) => void this.lines.push({ message, fields }) } as Logger,
    () => this.now,
  )

  tell(change: Partial<SlowReport> = {}): boolean {
    const report = { type: 'slow', app: 'shop', slot: 0, pid: 7, request: 'GET /a' } as const
    return this.log.tell({ ...report, elapsedMs: 1_234.5, untold: 0, ...change }, 'stack follows')
  }
}

test('a request is told with its worker and its name', () => {
  const said = new Said()
  expect(said.tell({ id: 'f3b1' })).toBe(true)
  const message = 'slow request: GET /a has run for 1235 ms; stack follows'
  expect(said.lines).toEqual([{ message, fields: { app: 'shop', pid: 7, request_id: 'f3b1' } }])
})

test('a worker whose stack was just shown is not asked again', () => {
  const said = new Said()
  expect(said.tell()).toBe(true)
  expect(said.tell({ request: 'GET /b' })).toBe(false)
  expect(said.lines[1]!.message).toMatch(/shown above/)
  expect(said.tell({ pid: 8 })).toBe(true)
  said.now = 1_500
  expect(said.tell()).toBe(true)
})

test('five at once, then one in ten seconds; the others are counted', () => {
  const said = new Said()
  for (let i = 0; i < 100; i++) said.tell({ pid: i + 1 })
  expect(said.lines).toHaveLength(5)
  said.now = 9_999
  expect(said.tell()).toBe(false)
  said.now = 10_000
  expect(said.tell({ untold: 4 })).toBe(true)
  expect(said.lines).toHaveLength(6)
  expect(said.lines[5]!.message).toMatch(/\(100 other slow ones were not told\)/)
  said.now = 1_000_000
  for (let i = 0; i < 100; i++) said.tell({ pid: i + 1 })
  expect(said.lines).toHaveLength(11)
})
