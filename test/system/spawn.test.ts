/** Programs started by posix_spawn: what they get, how they end, and that others go on meanwhile. */
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { describe, expect, it } from 'vitest'
import { anonymousFile, closeFile, nothing, openPipe, readNow } from '../../src/system/pipes.ts'
import { type Ended, hasEnded, type Launch, launch, reap } from '../../src/system/spawn.ts'
import { until } from '../supervisor/site.ts'

interface Ran {
  readonly out: string
  readonly ended: Ended
}

function start(what: Partial<Launch>): Promise<{ pid: number; output: number }> {
  const [output, stdout] = openPipe()
  const { promise, resolve, reject } = Promise.withResolvers<{ pid: number; output: number }>()
  launch({
    file: '/bin/sh',
    folder: '/',
    args: ['sh'],
    env: [],
    stdin: nothing(),
    stdout,
    stderr: stdout,
    done: (error, pid) => {
      closeFile(stdout)
      if (error === null) return resolve({ pid, output })
      closeFile(output)
      reject(error)
    },
    ...what,
  })
  return promise
}

/** Runs to the end; the output has to fit into the pipe. */
async function run(what: Partial<Launch>): Promise<Ran> {
  const { pid, output } = await start(what)
  await until('the end', () => hasEnded(pid))
  // It stays where it is until it is waited for.
  expect(hasEnded(pid)).toBe(true)
  const ended = reap(pid)
  if (ended === null) throw new Error('not reaped')
  const buffer = Buffer.alloc(65_536)
  const out = buffer.toString('latin1', 0, readNow(output, buffer))
  closeFile(output)
  return { out, ended }
}

const script = (text: string, more: Partial<Launch> = {}): Partial<Launch> => ({
  args: ['sh', '-c', text],
  ...more,
})

describe('a program', () => {
  it('gets its arguments, environment and folder byte for byte', async () => {
    const folder = tmpdir()
    const text = 'pwd; printf "%s|" "$@"; printf %s "$A"'
    const { out, ended } = await run({
      args: ['sh', '-c', text, 'sh', 'one two', '', 'gr\xfcn\n'],
      env: ['A=\xff=\x01'],
      folder,
    })
    expect(out).toBe(`${folder}\none two||gr\xfcn\n|\xff=\x01`)
    expect(ended).toEqual({ code: 0, signal: 0 })
  })

  it('gets nothing else: no environment of ours, no descriptor, no group', async () => {
    const { out } = await run(script('ls /proc/$$/fd; cut -d" " -f5,6 /proc/$$/stat; echo $$; env'))
    const lines = out.trim().split('\n')
    expect(lines.slice(0, 3)).toEqual(['0', '1', '2'])
    const [group, session] = (lines[3] ?? '').split(' ')
    expect(group).toBe(lines[4])
    // In ours, so that it can be found when we are gone.
    const own = readFileSync('/proc/self/stat', 'latin1').split(') ')[1]?.split(' ')[3]
    expect(session).toBe(own)
    expect(lines.slice(5)).toEqual(['PWD=/'])
  })

  it('may have an environment larger than the memory that was kept for it', async () => {
    const env = Array.from({ length: 200 }, (_, i) => `N${i}=${'x'.repeat(1000)}`)
    const { out } = await run({
      file: '/usr/bin/env',
      args: ['env', 'sh', '-c', 'echo $N199'],
      env,
    })
    expect(out).toBe(`${'x'.repeat(1000)}\n`)
  })

  it('tells how it ended', async () => {
    expect((await run(script('exit 3'))).ended).toEqual({ code: 3, signal: 0 })
    expect((await run(script('kill -9 $$'))).ended).toEqual({ code: 0, signal: 9 })
  })

  it('cannot be, and the reason has a name', async () => {
    await expect(start({ file: '/no/such/file' })).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(start({ folder: '/no/such/folder' })).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(start({ file: '/etc/passwd' })).rejects.toMatchObject({ code: 'EACCES' })
    const env = [`A=${'x'.repeat(3_000_000)}`]
    await expect(start({ env })).rejects.toMatchObject({ code: 'E2BIG' })
    for (let i = 0; i < 10; i++) expect(() => start({ env: ['A=b\0c'] })).toThrow(/NUL/)
    // None of them has kept a place.
    expect((await run(script('echo on'))).out).toBe('on\n')
  })

  it('is not known to others: nobody’s process has ended', () => {
    expect(reap(1)).toEqual({ code: 0, signal: 0 })
    expect(hasEnded(1)).toBe(true)
  })
})

it('hundreds at once', async () => {
  const all = Array.from({ length: 300 }, (_, i) => run(script(`echo ${i}`)))
  expect((await Promise.all(all)).map(({ out }) => Number(out))).toEqual(all.map((_, i) => i))
})

it('a file without a name holds what it was given', async () => {
  const bytes = Buffer.alloc(200_000, 'abc')
  const stdin = anonymousFile(bytes, tmpdir())
  const { out } = await run(script('wc -c; ls -l /proc/self/fd/0 | grep -c deleted', { stdin }))
  closeFile(stdin)
  expect(out).toBe('200000\n1\n')
})
