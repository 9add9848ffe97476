/**
 * The supervisor's log: readable lines on a terminal, JSON lines in a pipe or file. Everything that it
 * says, and everything that applications write to their stderr, passes through here.
 */
import { fstatSync } from 'node:fs'
import type { WriteStream } from 'node:tty'

export type Level = 'debug' | 'info' | 'warn' | 'error'

/** Facts beside the message: `app`, `pid`, … */
export type Fields = Readonly<Record<string, string | number | boolean>>

export interface Logger {
  debug(message: string, fields?: Fields): void
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  error(message: string, fields?: Fields): void
}

/** Where lines go: a file descriptor's stream, or a test's array. */
export interface LogSink {
  write(text: string): unknown
}

export interface LogOptions {
  /** `journal`: each line with its priority, for systemd's journal, which adds time and program. */
  readonly format: 'text' | 'json' | 'journal'
  readonly colours: boolean
  /** Lines below it are left out. */
  readonly level: Level
}

const ranks: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 }
const colours: Readonly<Record<Level, string>> = {
  debug: '\x1b[2m',
  info: '',
  warn: '\x1b[33m',
  error: '\x1b[31m',
}
const DIM = '\x1b[2m'
const RESET = '\x1b[0m'

/** sd-daemon(3): syslog's priorities. */
const priorities: Readonly<Record<Level, string>> = {
  debug: '<7>',
  info: '<6>',
  warn: '<4>',
  error: '<3>',
}

/**
 * Text for people on a terminal, lines with priorities for systemd's journal, JSON elsewhere; colours as
 * https://no-color.org wants them.
 */
export function logOptions(
  stream: Pick<WriteStream, 'isTTY'> & { readonly fd?: number },
  environment: NodeJS.ProcessEnv,
): LogOptions {
  const terminal = stream.isTTY === true
  if (isJournal(stream.fd, environment.JOURNAL_STREAM)) {
    return { format: 'journal', colours: false, level: 'info' }
  }
  const refused = (environment.NO_COLOR ?? '') !== '' || environment.TERM === 'dumb'
  return { format: terminal ? 'text' : 'json', colours: terminal && !refused, level: 'info' }
}

export function createLogger(sink: LogSink, options: LogOptions): Logger {
  const render = { json: jsonLine, text: textLine, journal: journalLine }[options.format]
  const log = (level: Level, message: string, fields: Fields = {}): void => {
    if (ranks[level] < ranks[options.level]) return
    sink.write(render(level, message, fields, options.colours))
  }
  return {
    debug: (message, fields) => log('debug', message, fields),
    info: (message, fields) => log('info', message, fields),
    warn: (message, fields) => log('warn', message, fields),
    error: (message, fields) => log('error', message, fields),
  }
}

/** Whether `fd` is the very stream that the journal reads (systemd.exec(5), $JOURNAL_STREAM). */
function isJournal(fd: number | undefined, stream = ''): boolean {
  if (fd === undefined || stream === '') return false
  try {
    const { dev, ino } = fstatSync(fd)
    return stream === `${dev}:${ino}`
  } catch {
    return false
  }
}

function journalLine(level: Level, message: string, fields: Fields): string {
  const facts = showFacts(fields)
  const [first = '', ...others] = message.trimEnd().split('\n')
  const lines = [
    `${first}${facts === '' ? '' : ` ${facts}`}`,
    ...others.map((line) => `    ${line}`),
  ]
  return lines.map((line) => `${priorities[level]}${line}\n`).join('')
}

/** On one line, whatever an application has to say of itself. */
function showFacts(fields: Fields): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`.replace(/\p{Cc}/gu, '\uFFFD'))
    .join(' ')
}

function jsonLine(level: Level, message: string, fields: Fields): string {
  return `${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })}\n`
}

function textLine(level: Level, message: string, fields: Fields, coloured: boolean): string {
  const time = new Date().toTimeString().slice(0, 8)
  const facts = showFacts(fields)
  // An application may log what a visitor sent: no escape sequence may reach the terminal.
  const text = message.trimEnd().replace(/[^\P{Cc}\n\t]/gu, '\uFFFD')
  const [first = '', ...others] = text.split('\n')
  const rest = others.map((line) => `    ${line}\n`).join('')
  const tail = facts === '' ? '' : `  ${facts}`
  if (!coloured) return `${time} ${level.padEnd(5)} ${first}${tail}\n${rest}`
  const mark = colours[level]
  const start = `${DIM}${time}${RESET} ${mark}${level.padEnd(5)} ${first}${RESET}`
  return `${start}${DIM}${tail}${RESET}\n${rest === '' ? '' : `${mark}${rest.trimEnd()}${RESET}\n`}`
}
