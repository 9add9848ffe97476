/** A folder's URL ends in a slash: what is in it refers to what is beside it. */
import { encodePath } from '../wire/request-line.ts'
import type { Exchange } from './exchange.ts'

const EMPTY = Buffer.alloc(0)

/** 301 where a method may change to GET without harm, else 308 (RFC 9110 §15.4). */
export function addSlash(exchange: Exchange): void {
  const { method, path, query } = exchange.line
  // The path that was routed, not as it was spelled: `/\host/../path` is another host to browsers.
  const location = `/${encodePath(path.replace(/^\/+/, ''))}/${query === '' ? '' : `?${query}`}`
  const status = method === 'GET' || method === 'HEAD' ? 301 : 308
  exchange.respond({ status, reason: '', fields: `Location: ${location}\r\n`, has: 0 }, EMPTY)
}
