import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { coreTime, cpuSeconds, memoryBytes, tree, workersOf } from '../../bench/harness/proc.ts'

const started: ChildProcess[] = []

/** A parent that forks twice; it and its children say that they run. */
async function family(child: string): Promise<number> {
  const program = `
import os, sys, time
for _ in range(2):
    if os.fork() == 0:
        ${child}
        os.write(1, b"x")
        time.sleep(60)
os.write(1, b"x")
time.sleep(60)`
  const parent = spawn('python3', ['-c', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  started.push(parent)
  let seen = 0
  while (seen < 3) seen += (await once(parent.stdout!, 'data'))[0].length
  return parent.pid!
}

afterEach(() => {
  for (const child of started.splice(0)) process.kill(-child.pid!, 'SIGKILL')
})

test('a tree is a process and its descendants, and its leaves are the workers', async () => {
  const parent = await family('pass')
  const pids = tree([parent])
  expect(pids).toHaveLength(3)
  expect(pids).toContain(parent)
  const workers = workersOf([parent], /python/)
  expect(workers).toHaveLength(2)
  expect(workers).not.toContain(parent)
  expect(workersOf([parent], /no-such-program/)).toEqual([])
})

test('a parent whose workers have all died is not taken for one', async () => {
  const parent = await family('pass')
  for (const pid of workersOf([parent], /python/)) process.kill(pid, 'SIGKILL')
  await sleep(100)
  expect(workersOf([parent], /python/)).toEqual([])
  expect(tree([parent])).toEqual([parent])
})

test('memory and processor time are those of the whole tree', async () => {
  const parent = await family('kept = bytearray(os.urandom(1024)) * 20480')
  // Twice 20 MiB, written to, so no longer shared.
  expect(memoryBytes([parent])).toBeGreaterThan(40 * 1024 * 1024)
  expect(memoryBytes([parent])).toBeLessThan(120 * 1024 * 1024)
  expect(cpuSeconds([parent])).toBeGreaterThan(0)
  expect(tree([0x7fffffff])).toEqual([])
})

test('a core is busy for no longer than it exists', () => {
  const { busy, total } = coreTime(0)
  expect(busy).toBeGreaterThan(0)
  expect(busy).toBeLessThanOrEqual(total)
  expect(() => coreTime(9999)).toThrow('no core 9999')
})
