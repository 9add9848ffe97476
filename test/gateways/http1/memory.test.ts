/** No input grows memory: a process of its own, which may collect its garbage when it measures. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const run = promisify(execFile)

interface Report {
  readonly requests: number
  readonly open: number
  /** Bytes that 100,000 further inputs added, heap and buffers. */
  readonly grown: number
  /** Bytes kept by memos filled to their bounds by inputs that want to keep much. */
  readonly hoarded: number
}

test('200,000 inputs of every kind leave memory as it was', async () => {
  const program = join(import.meta.dirname, 'memory-program.ts')
  const { stdout } = await run(process.execPath, ['--expose-gc', program], { timeout: 120_000 })
  const report: Report = JSON.parse(stdout)
  expect(report.requests).toBeGreaterThan(100_000)
  expect(report.open).toBe(0)
  expect(report.grown).toBeLessThan(2_000_000)
  // 2,048 lines and 1,024 blocks of fields, each up to 2 KB with what was parsed from it.
  expect(report.hoarded).toBeLessThan(40_000_000)
}, 150_000)
