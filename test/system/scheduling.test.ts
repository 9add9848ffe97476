/** Workers leave a shared core to the server, unless their owner has decided otherwise. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { afterEach, expect, it } from 'vitest'
import { leaveCoreToServer } from '../../src/system/scheduling.ts'
import { until } from '../supervisor/site.ts'

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

function start(file: string, args: string[]): ChildProcess {
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  return child
}

/** proc(5): the 41st number of a process's stat is its policy; 3 is SCHED_BATCH, 5 SCHED_IDLE. */
function policyOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[38])
}

it('holds for a process and for what it starts', async () => {
  const child = start('sh', ['-c', 'read go; sleep 60 & echo $!; wait'])
  expect(policyOf(child.pid!)).toBe(0)
  leaveCoreToServer(child.pid!)
  expect(policyOf(child.pid!)).toBe(3)
  child.stdin!.write('go\n')
  const [told] = (await once(child.stdout!, 'data')) as [Buffer]
  expect(policyOf(Number(told.toString()))).toBe(3)
  process.kill(Number(told.toString()), 'SIGKILL')
})

it('leaves a policy alone that its owner chose', async () => {
  const child = start('chrt', ['--idle', '0', 'sleep', '60'])
  await until('chrt has set it', () => policyOf(child.pid!) === 5)
  leaveCoreToServer(child.pid!)
  expect(policyOf(child.pid!)).toBe(5)
})

it('says nothing about a process that is gone', () => {
  expect(() => leaveCoreToServer(4_194_304)).not.toThrow()
})
