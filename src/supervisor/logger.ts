/**
 * The supervisor's log: readable lines on a terminal, JSON lines in a pipe or file. Everything that it
 * says, and everything that applications write to their stderr, passes through here.
 */
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
  readonly format: 'text' | 'json'
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

/** Text for people on a terminal, JSON elsewhere; colours as https://no-color.org wants them. */
export function logOptions(
  stream: Pick<WriteStream, 'isTTY'>,
  environment: NodeJS.ProcessEnv,
): LogOptions {
  const terminal = stream.isTTY === true
  const refused = (environment.NO_COLOR ?? '') !== '' || environment.TERM === 'dumb'
  return { format: terminal ? 'text' : 'json', colours: terminal && !refused, level: 'info' }
}

export function createLogger(sink: LogSink, options: LogOptions): Logger {
  const render = options.format === 'json' ? jsonLine : textLine
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

function jsonLine(level: Level, message: string, fields: Fields): string {
  return `${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })}\n`
}

function textLine(level: Level, message: string, fields: Fields, coloured: boolean): string {
  const time = new Date().toTimeString().slice(0, 8)
  const facts = Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
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
