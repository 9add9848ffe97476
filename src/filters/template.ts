/**
 * Text of the site file with variables of the request in it, under nginx's names: `https://$host$request_uri`.
 * What comes out is one line: it may stand in a header field.
 */
import { hostname } from 'node:os'
import type { Exchange } from '../request/exchange.ts'
import { TLS_VARIABLES } from '../request/tls-variables.ts'
import { nearest } from '../site/nearest.ts'
import { cookieValue } from '../wire/cookie.ts'
import { fieldValue, isFieldValue, trimBlanks } from '../wire/fields.ts'
import { encodePath, protocolOf } from '../wire/request-line.ts'

/** A part of a text: as it is, or of the request. */
export type Template = string | ((exchange: Exchange) => string)

type Read = (exchange: Exchange) => string

const READ: Readonly<Record<string, Read>> = {
  host: hostOf,
  http_host: ({ line, fields }) =>
    line.host === ''
      ? (fieldValue(fields, 'host') ?? '')
      : line.host + (line.hostPort < 0 ? '' : `:${line.hostPort}`),
  remote_addr: ({ peer }) => peer.address,
  remote_port: ({ peer }) => String(peer.port),
  remote_user: ({ fields }) => fields.user ?? '',
  server_addr: ({ peer }) => peer.localAddress,
  server_port: ({ peer }) => String(peer.localPort),
  server_protocol: ({ line }) => protocolOf(line),
  scheme: ({ peer }) => peer.scheme,
  https: ({ peer }) => (peer.scheme === 'https' ? 'on' : ''),
  request_id: ({ trace }) => trace?.id ?? '',
  request_method: ({ line }) => line.method,
  request_uri: ({ line }) => line.origin,
  // Decoded it could hold line breaks (`%0d%0a`), which is how nginx's `$uri` splits answers.
  uri: ({ line }) => encodePath(line.path),
  document_uri: ({ line }) => encodePath(line.path),
  args: ({ line }) => line.query,
  query_string: ({ line }) => line.query,
  is_args: ({ line }) => (line.query === '' ? '' : '?'),
  msec: () => (Date.now() / 1000).toFixed(3),
  time_iso8601: () => new Date().toISOString(),
  ...TLS_VARIABLES,
}

const VARIABLE = /\$(\$|[1-9]|[A-Za-z_]\w*)/
const HOSTNAME = hostname()

/**
 * Throws an Error that says which variable is none. `unknown`: names that mean nothing where this text
 * stands. A `$` that no name follows is itself, and so is `$$`.
 */
export function template(text: string, unknown: readonly string[] = []): Template {
  const parts = text.split(VARIABLE)
  const reads: Template[] = []
  for (const [index, part] of parts.entries()) {
    const last = reads.at(-1)
    const made = index % 2 === 0 || part === '$' ? utf8(part) : variable(part, unknown)
    if (made === '') continue
    if (typeof made === 'string' && typeof last === 'string') reads[reads.length - 1] = last + made
    else reads.push(made)
  }
  const [only = ''] = reads
  if (reads.length < 2 && typeof only === 'string') return only
  return (exchange) => {
    let value = ''
    for (const each of reads) value += typeof each === 'string' ? each : each(exchange)
    // No reader above lets a control character through; nobody shall have to rely on that.
    return isFieldValue(value) ? trimBlanks(value) : ''
  }
}

function variable(name: string, unknown: readonly string[]): Template {
  if (name === 'hostname') return HOSTNAME
  const known = Object.keys(READ).filter((each) => !unknown.includes(each))
  const read = READ[name]
  if (read !== undefined && known.includes(name)) return read
  const capture = /^[1-9]$/.exec(name)
  if (capture !== null) {
    const index = Number(name) - 1
    return ({ captures }) => encodePath(captures?.[index] ?? '')
  }
  const of = /^(http|cookie|arg)_(.+)$/.exec(name)
  if (of !== null) return valueAt(of[1]!, of[2]!)
  const meant = nearest(name, [...known, 'hostname'])
  const hint =
    meant === ''
      ? 'known are $host, $remote_addr, $http_NAME and others of nginx’s'
      : `did you mean $${meant}?`
  throw new Error(`no such variable: $${name}; ${hint}`)
}

function valueAt(kind: string, name: string): Read {
  if (kind === 'cookie')
    return ({ fields }) => cookieValue(fieldValue(fields, 'cookie') ?? '', name)
  if (kind === 'arg') return ({ line }) => argument(line.query, name)
  const field = name.toLowerCase().replaceAll('_', '-')
  return ({ fields }) => fieldValue(fields, field) ?? ''
}

/** As it came, still encoded; '' for none. */
export function argument(query: string, name: string): string {
  for (const pair of query.split('&')) {
    if (pair.startsWith(name) && pair[name.length] === '=') return pair.slice(name.length + 1)
  }
  return ''
}

/** The host asked for, lower case, without a port. */
export function hostOf({ line, fields }: Exchange): string {
  return line.host === '' ? fields.host : line.host
}

/** Text of a site file as its bytes, one latin-1 character each. */
export function utf8(text: string): string {
  return Buffer.from(text).toString('latin1')
}
