/** Field lines that a worker says beside its answers, as far as they may go to a visitor. Pure. */
import { parseFields } from '../../wire/fields.ts'
import { eachField, endsHere, forwardedTrailers } from '../backend/end-to-end.ts'

const MOST = 100

/** What the handshake of a WebSocket says for itself; we speak no extension (RFC 6455 §9). */
const OURS: ReadonlySet<string> = new Set([
  'sec-websocket-accept',
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-version',
])

/** Behind the body. Malformed, nothing is said. */
export function trailerFields(block: string): string {
  try {
    return forwardedTrailers(block, MOST)
  } catch {
    return ''
  }
}

/** Of an interim answer. */
export function interimFields(block: string): string {
  return endToEnd(block, () => true)
}

/** Beside our own in the 101 of a WebSocket. */
export function acceptedFields(block: string): string {
  return endToEnd(block, (name) => !OURS.has(name))
}

function endToEnd(block: string, wanted: (name: string) => boolean): string {
  let kept = ''
  try {
    eachField({ raw: block, ...parseFields(block, MOST) }, (written, name, value) => {
      if (!endsHere(name, []) && wanted(name)) kept += `${written}: ${value}\r\n`
    })
  } catch {
    return ''
  }
  return kept
}
