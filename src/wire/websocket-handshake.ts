/** How a WebSocket is asked for over HTTP/1.1, and granted (RFC 6455 §4.2). Pure. */
import { createHash } from 'node:crypto'
import { fieldValue, listMembers } from './fields.ts'
import type { RequestFields } from './request-fields.ts'
import type { RequestLine } from './request-line.ts'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
export const WEBSOCKET_VERSION = '13'

/** 16 bytes in base64: of the last character four bits are padding. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/

/** True when the visitor would rather have a WebSocket than an answer. */
export function asksForWebSocket(fields: RequestFields): boolean {
  return fields.upgrade !== '' && listMembers(fields.upgrade).includes('websocket')
}

/** What a request for a WebSocket comes to: its key, or why not. */
export type Handshake =
  | { readonly right: true; readonly key: string }
  | { readonly right: false; readonly wrong: 'version' | 'request'; readonly why: string }

/** Judges a request that asks for a WebSocket. */
export function readHandshake(line: RequestLine, fields: RequestFields): Handshake {
  if (line.method !== 'GET') return wrong(`${line.method} instead of GET`)
  if (fields.chunked || fields.contentLength > 0) return wrong('with a body')
  const version = fieldValue(fields, 'sec-websocket-version')
  if (version === undefined) return wrong('no Sec-WebSocket-Version')
  // §4.2.2: an unknown version is answered with those that are known.
  if (version !== WEBSOCKET_VERSION)
    return { right: false, wrong: 'version', why: 'another version' }
  const key = fieldValue(fields, 'sec-websocket-key') ?? ''
  return KEY.test(key) ? { right: true, key } : wrong('Sec-WebSocket-Key is not 16 bytes in base64')
}

function wrong(why: string): Handshake {
  return { right: false, wrong: 'request', why }
}

/** Sec-WebSocket-Accept for a key (§4.2.2). */
export function acceptKey(key: string): string {
  return createHash('sha1')
    .update(key + GUID, 'latin1')
    .digest('base64')
}
