/** Hot: heads of answers as web servers in front of us read them. They add Date, Server and framing. */
import type { AnswerHead } from '../../request/exchange.ts'
import { http } from '../../system/http.ts'

/** As uWSGI answers: a plain HTTP head, with the version that was asked in. `length` in bytes, or -1. */
export function httpHead(protocol: string, head: AnswerHead, length: number): string {
  return `${protocol} ${statusOf(head)}\r\n${head.fields}${head.orders ?? ''}${lengthLine(length)}\r\n`
}

/** As CGI programs answer (RFC 3875 §6.3.3). */
export function cgiHead(head: AnswerHead, length: number): string {
  return `Status: ${statusOf(head)}\r\n${head.fields}${head.orders ?? ''}${lengthLine(length)}\r\n`
}

function statusOf(head: AnswerHead): string {
  return `${head.status} ${head.reason === '' ? (http.STATUS_CODES[head.status] ?? '') : head.reason}`
}

function lengthLine(length: number): string {
  return length < 0 ? '' : `Content-Length: ${length}\r\n`
}
