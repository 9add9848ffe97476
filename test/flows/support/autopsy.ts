/** What a Portico was doing when a test failed: a hang that only comes once in a while tells nothing else. */
import { readFileSync } from 'node:fs'
import type { Portico } from './portico.ts'

/** Its last lines, the requests in hand, and what each of its processes waits for in the kernel. */
export async function autopsy(portico: Portico): Promise<string> {
  const log = portico.log.slice(-LINES).map((line) => JSON.stringify(line))
  const { out, err } = await portico.run('status', '--requests')
  const processes = portico.processes().map(({ pid, command }) => {
    const facts = ['wchan', 'syscall'].map((name) => ofProcess(pid, name))
    return `${pid} ${command.slice(0, 120)} · ${facts.join(' · ')}`
  })
  return ['the log:', ...log, 'requests in hand:', out, err, 'processes:', ...processes].join('\n')
}

const LINES = 20

function ofProcess(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8').trim()
  } catch {
    return '?'
  }
}
