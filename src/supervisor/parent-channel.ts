/** The control channel with a warm parent: JSON lines over its descriptor 3, checked as they arrive. */
import type { Duplex } from 'node:stream'
import type { FromParent, ToParent } from '../runtimes/runtime.ts'
import { LineReader } from './lines.ts'

/** A traceback may be long; what is longer than this is no traceback, characters. */
const LONGEST_MESSAGE = 1_048_576

export interface ParentChannel {
  send(message: ToParent): void
}

/** `lied` is told once when the parent sends what is no message of the contract. */
export function openChannel(
  stream: Duplex,
  received: (message: FromParent) => void,
  lied: (what: string) => void,
): ParentChannel {
  let trusted = true
  const reader = new LineReader(LONGEST_MESSAGE, (line) => {
    if (!trusted) return
    const message = parseMessage(line)
    if (message !== null) return received(message)
    trusted = false
    lied(line.slice(0, 200))
  })
  stream.on('data', (chunk: Buffer) => reader.feed(chunk))
  // A dead parent's channel fails in many ways; the exit of the process says it once.
  stream.on('error', () => {})
  return {
    send(message) {
      if (stream.writable) stream.write(`${JSON.stringify(message)}\n`)
    },
  }
}

/** Null for anything that is not exactly one of the contract's messages. */
export function parseMessage(line: string): FromParent | null {
  const said = parseObject(line)
  if (said === null) return null
  const { type, slot, pid, code, signal, version, detail, declares } = said
  if (type === 'loaded') return typeof version === 'string' ? { type, version, declares } : null
  if (type === 'failed') return typeof detail === 'string' ? { type, detail } : null
  if (!isCount(slot) || !isCount(pid)) return null
  if (type === 'spawned') return { type, slot, pid }
  if (type !== 'exited' || !isCountOrNull(code) || !isCountOrNull(signal)) return null
  return { type, slot, pid, code, signal }
}

function parseObject(line: string): Record<string, unknown> | null {
  try {
    const said: unknown = JSON.parse(line)
    return typeof said === 'object' && said !== null ? { ...said } : null
  } catch {
    return null
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

function isCountOrNull(value: unknown): value is number | null {
  return value === null || isCount(value)
}
