/**
 * The access log: one line a request, combined or JSON, gathered and written in blocks. The hot path
 * only appends to a list; one write at a time goes to the disk, and when the disk is slower than the
 * visitors, lines are dropped and counted rather than memory filled.
 */
import { close, openSync, write, writeSync } from 'node:fs'
import type { PorticoError } from '../errors.ts'
import { asObject, asRequest, asStatus, type ConnectionLine } from '../stream/log-line.ts'
import { fieldValue } from '../wire/fields.ts'
import { protocolOf } from '../wire/request-line.ts'
import { clock, onTick } from './clock.ts'
import type { Peer } from './exchange.ts'
import type { RoutedExchange } from './flow.ts'

/** Written when this much is gathered, or at the next tick of the clock. */
const BLOCK = 65_536
/** Gathered at most; beyond it lines are dropped. */
const MOST = 8_388_608
/** How long the reader of a full pipe is given, ms. */
const RETRY_MS = 10
const LF = 0x0a

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

export class AccessLog {
  readonly #format: 'combined' | 'json'
  readonly #target: string
  #fd: number
  #text = ''
  /** A block is on its way to the disk, or waits for the reader of a pipe. */
  #writing = false
  /** Lines lost since that was last said. */
  #dropped = 0
  /** Of these, how many the block on its way speaks of. */
  #said = 0
  /** A descriptor that was replaced while it was written to. */
  #retired: number[] = []
  readonly #stopTicking: () => void
  #second = 0
  #time = ''

  /** `target`: `stdout`, `stderr` or an absolute path, which is appended to. Throws when it cannot be opened. */
  constructor(target: string, format: 'combined' | 'json') {
    this.#target = target
    this.#format = format
    this.#fd = open(target)
    this.#stopTicking = onTick(() => this.#flush())
  }

  /** `ms`: from the complete head to the end of the answer. */
  exchange(exchange: RoutedExchange, ms: number): void {
    const { line, fields } = exchange
    const text = `${line.method} ${line.target} ${protocolOf(line)}`
    const status = exchange.status === 0 ? 499 : exchange.status
    const host = line.host === '' ? fields.host : line.host
    this.#add(
      this.#format === 'json'
        ? this.#json(exchange.peer.address, text, status, exchange.sent, exchange.error, {
            method: line.method,
            target: line.target,
            host,
            request_id: exchange.trace?.id,
            trace_id: exchange.trace?.traceId,
            ms: Math.round(ms * 1000) / 1000,
            referer: fieldValue(fields, 'referer'),
            agent: fieldValue(fields, 'user-agent'),
            tls: exchange.peer.tls?.seen.protocol,
            cipher: exchange.peer.tls?.seen.cipher,
            certificate: exchange.peer.tls?.certificate?.subject?.replaceAll('\n', ','),
          })
        : this.#combined(
            exchange.peer.address,
            text,
            status,
            exchange.sent,
            fieldValue(fields, 'referer'),
            fieldValue(fields, 'user-agent'),
          ),
    )
  }

  refused(error: PorticoError, line: string, peer: Peer, sent: number): void {
    this.#add(
      this.#format === 'json'
        ? this.#json(peer.address, line, error.status, sent, error, {})
        : this.#combined(peer.address, line, error.status, sent, undefined, undefined),
    )
  }

  /** A connection without HTTP is over. */
  connection(line: ConnectionLine): void {
    const { address, received, sent, ms, user } = line
    if (this.#format === 'json') {
      return this.#add(asLine({ time: new Date().toISOString(), ...asObject(line) }))
    }
    const status = asStatus(line)
    const from = address === '' ? '-' : address
    const took = (ms / 1000).toFixed(3)
    const text = `${from} - ${quoted(user || '-')} [${this.#now()}] "${quoted(asRequest(line))}" ${status} ${sent} "${received}" "${took}"`
    this.#add(`${text}\n`)
  }

  /** Opens the file anew, after it was moved away. When it cannot be, the old one is kept. */
  reopen(): void {
    if (this.#target === 'stdout' || this.#target === 'stderr') return
    const old = this.#fd
    try {
      this.#fd = open(this.#target)
    } catch (error) {
      console.error(`the access log goes on where it was: ${reason(error)}`)
      return
    }
    this.#retired.push(old)
    if (!this.#writing) this.#closeRetired()
  }

  /** Writes what is left, at once. */
  close(): void {
    this.#stopTicking()
    const bytes = Buffer.from(this.#text)
    this.#text = ''
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at)
    } catch {
      // The process ends; there is no one left to tell.
    }
  }

  #combined(
    address: string,
    line: string,
    status: number,
    sent: number,
    referer: string | undefined,
    agent: string | undefined,
  ): string {
    const from = address === '' ? '-' : address
    return `${from} - - [${this.#now()}] "${quoted(line)}" ${status} ${sent} "${quoted(referer ?? '-')}" "${quoted(agent ?? '-')}"\n`
  }

  #json(
    address: string,
    line: string,
    status: number,
    sent: number,
    error: PorticoError | null,
    more: Record<string, string | number | undefined>,
  ): string {
    const time = new Date(Date.now()).toISOString()
    const failed = error === null ? {} : { error: error.code, detail: error.message }
    return asLine({ time, address, request: line, status, sent, ...more, ...failed })
  }

  /** `21/Nov/2026:08:01:50 +0000` */
  #now(): string {
    if (clock.second !== this.#second) {
      this.#second = clock.second
      const date = new Date(clock.second * 1000)
      const two = (value: number): string => String(value).padStart(2, '0')
      this.#time = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`
    }
    return this.#time
  }

  #add(line: string): void {
    if (this.#text.length > MOST) {
      this.#dropped++
      return
    }
    this.#text += line
    if (this.#text.length >= BLOCK) this.#flush()
  }

  #flush(): void {
    if (this.#writing || this.#text === '') return
    this.#said = this.#dropped
    if (this.#dropped > 0) {
      this.#text += this.#droppedLine()
      this.#dropped = 0
    }
    const bytes = Buffer.from(this.#text)
    this.#text = ''
    this.#writing = true
    this.#write(bytes)
  }

  #droppedLine(): string {
    const why = 'the log could not be written, or not fast enough'
    if (this.#format === 'combined') return `# ${this.#dropped} lines were dropped: ${why}\n`
    return asLine({ time: new Date().toISOString(), dropped: this.#dropped, detail: why })
  }

  /** One block at a time: a second one could overtake it, or cut into the middle of a line. */
  #write(bytes: Buffer): void {
    write(this.#fd, bytes, (error, written) => {
      this.#closeRetired()
      if (error !== null && error.code !== 'EAGAIN') {
        // A full disk or a closed pipe: the visitors go on, these lines are lost.
        this.#dropped += countLines(bytes)
        if (this.#said > 0) this.#dropped += this.#said - 1
        this.#writing = false
        return
      }
      const rest = bytes.subarray(error === null ? written : 0)
      if (rest.length === 0) this.#writing = false
      else if (error === null) this.#write(rest)
      else setTimeout(() => this.#write(rest), RETRY_MS).unref()
    })
  }

  #closeRetired(): void {
    for (const fd of this.#retired.splice(0)) close(fd, () => {})
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function countLines(bytes: Buffer): number {
  let lines = 0
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) lines++
  return lines
}

/** One line of JSON, without the characters that JSON leaves alone and terminals do not. */
function asLine(entry: object): string {
  const text = JSON.stringify(entry)
  if (!/[\x7f-\x9f]/.test(text)) return `${text}\n`
  const escaped = text.replace(
    /[\x7f-\x9f]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  )
  return `${escaped}\n`
}

function open(target: string): number {
  if (target === 'stdout') return 1
  if (target === 'stderr') return 2
  return openSync(target, 'a', 0o640)
}

/** As nginx does: quotes, backslashes, controls and bytes beyond ASCII become `\xNN`. */
function quoted(text: string): string {
  if (!/["\\\x00-\x1f\x7f-\xff]/.test(text)) return text
  return text.replace(
    /["\\\x00-\x1f\x7f-\xff]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}
