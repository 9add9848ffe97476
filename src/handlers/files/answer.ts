/** Answers with one representation: preconditions, ranges, then bytes from memory or from the file. */
import { closeSync } from 'node:fs'
import type { AnswerHead, Exchange } from '../../request/exchange.ts'
import type { Asked } from './asked.ts'
import { judge } from './conditional.ts'
import { openInside, sameFile } from './inspect.ts'
import { multipart } from './multipart.ts'
import { selectRanges } from './ranges.ts'
import { type Representation, restate } from './representation.ts'
import { sendFile, sendPieces } from './send.ts'

const EMPTY = Buffer.alloc(0)

/** Throws what opening a file throws; nothing has been answered then. */
export function answerWith(exchange: Exchange, file: Representation, asked: Asked): void {
  if (!asked.conditional) {
    if (file.body !== null) exchange.respond(file.ok, file.body)
    else if (exchange.line.method === 'HEAD') exchange.respond(file.ok, EMPTY, file.size)
    else fromDisk(exchange, file, asked)
    return
  }
  answerConditional(exchange, file, asked, -1)
}

/** `fd`: `file`, open; -1: not opened yet. */
function answerConditional(
  exchange: Exchange,
  file: Representation,
  asked: Asked,
  fd: number,
): void {
  const verdict = judge(asked, file)
  // RFC 9110 §14.2: Range is defined for GET alone.
  const ranged = verdict === 'send' && asked.range !== null && exchange.line.method === 'GET'
  const selected = ranged ? selectRanges(asked.range ?? '', file.size) : 'whole'
  if (verdict === 'not-modified') exchange.respond(file.notModified, EMPTY)
  else if (verdict === 'failed')
    exchange.respond(short(412, file.shared), text('precondition failed'))
  else if (selected === 'none') {
    const fields = `Content-Range: bytes */${file.size}\r\n${file.shared}`
    exchange.respond(short(416, fields), text('range not satisfiable'))
  } else if (exchange.line.method === 'HEAD') exchange.respond(file.ok, EMPTY, file.size)
  else if (file.body === null && fd < 0) return fromDisk(exchange, file, asked)
  else {
    sendSelected(exchange, file, selected, fd)
    return
  }
  if (fd >= 0) closeSync(fd)
}

/** Sends what was selected; takes over `fd`. */
function sendSelected(
  exchange: Exchange,
  file: Representation,
  selected: ReturnType<typeof selectRanges>,
  fd: number,
): void {
  const { body, size } = file
  if (selected === 'whole' || selected === 'none') {
    if (body !== null) exchange.respond(file.ok, body)
    else sendFile(exchange, file.ok, fd, 0, size)
    return
  }
  const only = selected[0]
  if (only !== undefined && selected.length === 1) {
    const { from, length } = only
    const range = `Content-Range: bytes ${from}-${from + length - 1}/${size}\r\n`
    const head = partial(`Content-Type: ${file.type}\r\n${range}${file.shared}${file.about}`)
    if (body !== null) exchange.respond(head, body.subarray(from, from + length))
    else sendFile(exchange, head, fd, from, length)
    return
  }
  const { type, pieces } = multipart(selected, file.type, size)
  const head = partial(`Content-Type: ${type}\r\n${file.shared}${file.about}`)
  if (body === null) sendPieces(exchange, head, fd, pieces)
  else {
    const parts = pieces.map((piece) =>
      'from' in piece ? body.subarray(piece.from, piece.from + piece.length) : piece,
    )
    exchange.respond(head, Buffer.concat(parts))
  }
}

/** Opens the file, and judges anew when it is not what it was a moment ago. */
function fromDisk(exchange: Exchange, file: Representation, asked: Asked): void {
  const { fd, stats } = openInside(file.real, file.realRoot)
  const current = sameFile(stats, file.stats) ? file : restate(file, stats)
  if (asked.conditional) answerConditional(exchange, current, asked, fd)
  else sendFile(exchange, current.ok, fd, 0, current.size)
}

function partial(fields: string): AnswerHead {
  return { status: 206, reason: '', fields, has: 0 }
}

function short(status: number, fields: string): AnswerHead {
  return {
    status,
    reason: '',
    fields: `Content-Type: text/plain; charset=utf-8\r\n${fields}`,
    has: 0,
  }
}

function text(line: string): Buffer {
  return Buffer.from(`${line}\n`)
}
