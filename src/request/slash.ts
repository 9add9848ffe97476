/** Slashes that are missing or too many: the visitor is sent to the URL that was meant. */
import { encodePath } from '../wire/request-line.ts'
import type { Exchange } from './exchange.ts'

const EMPTY = Buffer.alloc(0)

/** A folder's URL ends in a slash: what is in it refers to what is beside it. */
export function addSlash(exchange: Exchange): void {
  sendTo(exchange, `${exchange.line.path}/`)
}

/** The path with each run of slashes as one: what a file system takes it for. */
export function mergeSlashes(path: string): string {
  return path.replace(/\/{2,}/g, '/')
}

/** 301 where a method may change to GET without harm, else 308 (RFC 9110 §15.4). */
export function sendTo(exchange: Exchange, path: string): void {
  const { method, query } = exchange.line
  // The path that was routed, not as it was spelled: `/\host/../path` is another host to browsers.
  const location = `/${encodePath(path.replace(/^\/+/, ''))}${query === '' ? '' : `?${query}`}`
  const status = method === 'GET' || method === 'HEAD' ? 301 : 308
  exchange.respond({ status, reason: '', fields: `Location: ${location}\r\n`, has: 0 }, EMPTY)
}
