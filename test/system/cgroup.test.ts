import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import { Cgroups, removeAbandonedGroups } from '../../src/system/cgroup.ts'
import { until } from '../supervisor/site.ts'

const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'portico-cgroup-'))
afterAll(() => rmSync(folder, { recursive: true }))

let roots = 0
/** A tree as version 2 has it, as far as files can stand in for the kernel. */
function delegated(controllers: string, procs: string): string {
  const root = join(folder, `root-${roots++}`)
  const own = join(root, 'system.slice', 'portico.service')
  mkdirSync(own, { recursive: true })
  writeFileSync(join(root, 'cgroup.controllers'), 'cpu io memory pids\n')
  writeFileSync(join(own, 'cgroup.controllers'), `${controllers}\n`)
  writeFileSync(join(own, 'cgroup.procs'), procs)
  writeFileSync(join(own, 'cgroup.subtree_control'), '')
  return root
}
const SELF = '0::/system.slice/portico.service\n'

describe('version 2, by the kernel’s documentation', () => {
  test('a tree that is ours: we move into a leaf, and groups get their bounds', () => {
    const root = delegated('cpu memory pids', `${process.pid}\n`)
    const own = join(root, 'system.slice', 'portico.service')
    const group = new Cgroups(root, SELF).create('portico-1-1-shop', {
      memory: 512 * 1024 ** 2,
      cpu: 1.5,
      pids: 50,
    })
    expect([...(group?.controllers ?? [])].sort()).toEqual(['cpu', 'memory', 'pids'])
    expect(readFileSync(join(own, 'portico-supervisor', 'cgroup.procs'), 'utf8')).toBe('0')
    expect(readFileSync(join(own, 'cgroup.subtree_control'), 'utf8')).toBe('+memory +cpu +pids')
    const inside = (name: string): string => join(own, 'portico-1-1-shop', name)
    expect(readFileSync(inside('memory.max'), 'utf8')).toBe(String(512 * 1024 ** 2))
    expect(readFileSync(inside('memory.swap.max'), 'utf8')).toBe('0')
    expect(readFileSync(inside('cpu.max'), 'utf8')).toBe('150000 100000')
    expect(readFileSync(inside('pids.max'), 'utf8')).toBe('50')
    expect(group?.doors).toEqual([inside('cgroup.procs')])

    writeFileSync(inside('memory.events'), 'low 0\nhigh 0\nmax 3\noom 2\noom_kill 2\n')
    writeFileSync(inside('memory.stat'), 'anon 1000\nfile 5000\nfile_mapped 24\n')
    writeFileSync(inside('cpu.stat'), 'usage_usec 2500000\nuser_usec 1\n')
    writeFileSync(inside('cgroup.procs'), '11\n12\n')
    expect(group?.oomKills()).toBe(2)
    expect(group?.usage()).toEqual({ memory: 1024, cpuMs: 2500, processes: 2 })
  })

  test('a group that others live in is not ours', () => {
    const root = delegated('memory', `${process.pid}\n1\n`)
    const limits = { memory: 1e8, cpu: -1, pids: -1 }
    expect(new Cgroups(root, SELF).create('x', limits)).toBeNull()
    expect(existsSync(join(root, 'system.slice/portico.service/portico-supervisor'))).toBe(false)
  })

  test('a tree without controllers bounds nothing', () => {
    const root = delegated('', `${process.pid}\n`)
    expect(new Cgroups(root, SELF).create('x', { memory: 1e8, cpu: -1, pids: -1 })).toBeNull()
  })
})

test('nothing is made where nothing is asked for, or nothing is there', () => {
  expect(new Cgroups().create('x', { memory: -1, cpu: -1, pids: -1 })).toBeNull()
  expect(
    new Cgroups(join(folder, 'none'), SELF).create('x', { memory: 1, cpu: 1, pids: 1 }),
  ).toBeNull()
})

describe.runIf(existsSync('/sys/fs/cgroup/memory/cgroup.procs') && process.getuid?.() === 0)(
  'version 1, by this kernel',
  () => {
    const ENTER = 'while [ "$1" != -- ]; do echo 0 > "$1" || exit 1; shift; done; shift; exec "$@"'

    test('memory: who takes too much is killed, and it is told', async () => {
      const name = `portico-${process.pid}-t-memory`
      const group = new Cgroups().create(name, { memory: 32 * 1024 ** 2, cpu: -1, pids: -1 })
      try {
        expect(group?.controllers).toEqual(new Set(['memory']))
        const before = group!.oomKills()
        const hungry = spawn('sh', [
          '-c',
          ENTER,
          'x',
          ...group!.doors,
          '--',
          '/usr/bin/python3',
          '-c',
          'x = b"1" * 100_000_000',
        ])
        const [code, signal] = await once(hungry, 'exit')
        expect([code, signal]).toEqual([null, 'SIGKILL'])
        expect(group!.oomKills()).toBe(before + 1)
      } finally {
        group?.remove()
      }
    })

    test('pids and cpu: bounded, counted, removed', async () => {
      const name = `portico-${process.pid}-t-pids`
      const group = new Cgroups().create(name, { memory: 64 * 1024 ** 2, cpu: 0.2, pids: 8 })
      try {
        const bomb =
          'import os, sys, time\nn = 0\ntry:\n  while os.fork() or time.sleep(60): n += 1\nexcept OSError: print(n, flush=True); time.sleep(60)'
        const child = spawn('sh', [
          '-c',
          ENTER,
          'x',
          ...group!.doors,
          '--',
          '/usr/bin/python3',
          '-c',
          bomb,
        ])
        const [said] = await once(child.stdout, 'data')
        expect(Number(String(said))).toBe(7)
        expect(group!.usage()?.processes).toBe(8)
        expect(group!.usage()?.memory).toBeGreaterThan(1_000_000)
        expect(group!.usage()?.cpuMs).toBeGreaterThan(1)
        group!.remove()
        await once(child, 'exit')
        await until('the groups to go', () => group!.doors.every((door) => !existsSync(door)))
      } finally {
        group?.remove()
      }
    })

    test('what a killed supervisor has left is removed', async () => {
      const { stdout } = await run('sh', ['-c', 'echo $$'])
      const dead = Number(stdout)
      const group = new Cgroups().create(`portico-${dead}-1-shop`, {
        memory: 1e8,
        cpu: -1,
        pids: -1,
      })
      const mine = new Cgroups().create(`portico-${process.pid}-1-shop`, {
        memory: 1e8,
        cpu: -1,
        pids: -1,
      })
      removeAbandonedGroups((pid) => pid !== dead)
      await until('it to go', () => !existsSync(group!.doors[0]!))
      expect(existsSync(mine!.doors[0]!)).toBe(true)
      mine!.remove()
    })
  },
)
