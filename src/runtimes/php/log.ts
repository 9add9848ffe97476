/** What php-fpm and php-cgi write to stderr. Pure. */
import type { ServiceNews } from '../service.ts'

type Level = Extract<ServiceNews, { type: 'log' }>['level']

const LINE = /^\[\d\d-[A-Z][a-z]{2}-\d{4} [\d:.]+\] (DEBUG|NOTICE|WARNING|ERROR|ALERT): (.*)$/s
const SAID = /^\[pool \S+\] child (\d+) said into std(?:err|out): "(.*)"(, pipe is closed)?$/s
const SLOW =
  /^\[pool \S+\] child (\d+), script '.*' \(request: "(.*)"\) executing too slow \(([\d.]+) sec\), logging$/s
const TRACED = /^finished trace of (\d+)$/
const EXITED =
  /^\[pool \S+\] child (\d+) exited (with code (\d+)|on signal \d+ \((\w+).*?\)).* after [\d.]+ seconds/s
/** What php-fpm tells of a sound life. */
const ROUTINE =
  /^(fpm is running|ready to handle|systemd monitor|Terminating|Finishing|exiting|using |\[pool \S+\] child \d+ started|child \d+ stopped for tracing|about to trace)/

const levels: Readonly<Record<string, Level>> = {
  DEBUG: 'debug',
  NOTICE: 'info',
  WARNING: 'warn',
  ERROR: 'error',
  ALERT: 'error',
}

/** A line of php-fpm's, or of one of its workers'. */
export function readFpm(line: string): ServiceNews {
  const [, rank = '', text = ''] = LINE.exec(line) ?? []
  if (rank === '') return readPhp(line, 0)
  const said = SAID.exec(text)
  if (said !== null) {
    return readPhp((said[2] ?? '').replace(/^NOTICE: PHP message: /, ''), Number(said[1]))
  }
  const slow = SLOW.exec(text)
  if (slow !== null) {
    const [, pid, request = '', seconds] = slow
    return { type: 'slow', pid: Number(pid), request, elapsedMs: Number(seconds) * 1000 }
  }
  const traced = TRACED.exec(text)
  if (traced !== null) return { type: 'traced', pid: Number(traced[1]) }
  const exited = EXITED.exec(text)
  if (exited !== null) {
    const [, pid, , code = '', signal = ''] = exited
    const how = signal === '' ? `exit code ${code}` : signal
    return { type: 'died', pid: Number(pid), how, expected: code === '0' }
  }
  const level = ROUTINE.test(text) ? 'debug' : (levels[rank] ?? 'info')
  return { type: 'log', level, message: text.replace(/^\[pool \S+\] /, ''), pid: 0 }
}

/** A line of PHP itself. */
export function readPhp(line: string, pid: number): ServiceNews {
  const level: Level = /^PHP (Fatal|Parse|Recoverable fatal|Core) error:/i.test(line)
    ? 'error'
    : /^PHP (Core |Compile )?Warning:/i.test(line)
      ? 'warn'
      : 'info'
  return { type: 'log', level, message: line, pid }
}
