/**
 * What a rule of `rewrite` makes of a path: text with groups and variables, and what has to be done to
 * each of them where it stands. Nothing of a visitor's ever changes which host is meant, adds a query, or
 * climbs with `..`.
 */
import { PorticoError } from '../../errors.ts'
import type { Exchange } from '../../request/exchange.ts'
import { encodePath, type RequestLine } from '../../wire/request-line.ts'
import { argument, hostOf, type Template, template } from '../template.ts'

type Captures = readonly (string | undefined)[]
type Part = string | ((exchange: Exchange, captures: Captures) => string)

export interface RuleTarget {
  /** Scheme and host; null: a path of this site. */
  readonly authority: readonly Part[] | null
  readonly path: readonly Part[]
  readonly query: readonly Part[]
  /** The query of the request comes behind. */
  readonly keepsQuery: boolean
  /** The highest group it speaks of. */
  readonly captures: number
  /** Of the request line alone: the same for the same one. */
  readonly ofLine: boolean
}

const TOKEN = /\$(\$|[1-9]|[A-Za-z_]\w*)/
const TOKENS = new RegExp(TOKEN, 'g')
/** Variables that the request line decides. */
const OF_LINE =
  /^([1-9]|\$|uri|document_uri|request_uri|args|query_string|is_args|request_method|arg_.*)$/

/** Throws an Error that says what is wrong with it. */
export function parseTarget(text: string): RuleTarget {
  if (/[\x00-\x20\x7f]/.test(text)) throw new Error('a URL holds no blanks')
  if (hasDots(text.replace(/\?.*$/, '').replace(TOKENS, 'x'))) throw new Error('. or .. in a path')
  if (text.includes('#')) throw new Error('only browsers know of a #')
  const url = /^(https?|\$scheme):\/\//.exec(text)
  if (url === null && !/^[/$]/.test(text)) throw new Error('not a path and not a URL')
  let rest = text
  let authority: readonly Part[] | null = null
  if (url !== null) {
    const host = /^(?:[A-Za-z0-9._:[\]-]|\$host(?!\w)|\$server_port(?!\w))+/.exec(
      text.slice(url[0].length),
    )
    if (host === null) throw new Error('a URL without a host')
    rest = text.slice(url[0].length + host[0].length)
    if (!/^($|[/?$])/.test(rest)) throw new Error('not a URL')
    authority = [...parts(url[0], plain), ...parts(host[0], plain)]
  }
  const mark = rest.indexOf('?')
  const path = mark < 0 ? rest : rest.slice(0, mark)
  const query = mark < 0 ? '' : rest.slice(mark + 1)
  const names = [...text.matchAll(TOKENS)].map(([, name]) => name!)
  return {
    authority,
    path: parts(path, inPath),
    query: parts(query.replace(/\?$/, ''), inQuery),
    keepsQuery:
      names.includes('request_uri') || (mark >= 0 ? !query.endsWith('?') && query !== '' : true),
    captures: Math.max(0, ...names.map((name) => (/^\d$/.test(name) ? Number(name) : 0))),
    ofLine: names.every((name) => OF_LINE.test(name)),
  }
}

/** Path and query, encoded. Throws BAD_PATH. */
export function expand(target: RuleTarget, exchange: Exchange, captures: Captures): string {
  let path = join(target.path, exchange, captures)
  // One slash: two would begin the name of a host.
  path = `/${path.replace(/^[/\\]+/, '')}`
  // `^/a/(.*)[.]html$` takes `..` from `/a/...html`.
  if (hasDots(path)) throw new PorticoError('BAD_PATH', 'dots')
  let query = join(target.query, exchange, captures)
  const own = exchange.line.query
  if (target.keepsQuery && own !== '') query = query === '' ? own : `${query}&${own}`
  return query === '' ? path : `${path}?${query}`
}

/** The whole URL. Throws BAD_HOST or BAD_PATH. */
export function locate(target: RuleTarget, exchange: Exchange, captures: Captures): string {
  const location = expand(target, exchange, captures)
  return target.authority === null
    ? location
    : join(target.authority, exchange, captures) + location
}

function join(parts: readonly Part[], exchange: Exchange, captures: Captures): string {
  let text = ''
  for (const part of parts) text += typeof part === 'string' ? part : part(exchange, captures)
  return text
}

function parts(text: string, read: (name: string) => Part): Part[] {
  return text
    .split(TOKEN)
    .map((each, index): Part => {
      if (index % 2 === 1) return each === '$' ? '$' : read(each)
      // The owner's text as it is, with what no URL may hold percent-encoded as UTF-8.
      const bytes = Buffer.from(each).toString('latin1')
      return bytes.replace(/[^\x21\x24-\x7e]/g, escapeByte)
    })
    .filter((part) => part !== '')
}

/** In a path values are encoded, whatever they were: what is decoded behind is what was meant. */
function inPath(name: string): Part {
  if (/^\d$/.test(name)) return (_exchange, captures) => encodePath(captures[Number(name)] ?? '')
  if (name === 'request_uri') {
    // Its query comes by itself.
    return ({ line }) => pathAsked(line).replace(/[\\"<>^`{|}]/g, escapeByte)
  }
  if (name === 'uri' || name === 'document_uri') return ({ line }) => encodePath(line.path)
  if (name.startsWith('arg_')) {
    return ({ line }) => encodePath(checked(decoded(argument(line.query, name.slice(4)))))
  }
  const value = known(name)
  if (typeof value === 'string') return encodePath(value)
  return (exchange) => encodePath(checked(value(exchange)))
}

/** The path as it came, without dots. */
function pathAsked({ origin }: RequestLine): string {
  return origin.replace(/\?.*$/s, '')
}

/** Whether `.` or `..` is a segment, however it is spelled. */
export function hasDots(path: string): boolean {
  return /(?:\/|%2f)(?:\.|%2e){1,2}(?:\/|%2f|$)/i.test(path)
}

function inQuery(name: string): Part {
  if (/^\d$/.test(name)) return (_exchange, captures) => encodeMember(captures[Number(name)] ?? '')
  const value = known(name)
  if (typeof value === 'string') return encodeMember(value)
  // These are encoded as they came.
  if (/^(args|query_string|arg_.*)$/.test(name)) return value
  return (exchange) => encodeMember(value(exchange))
}

/** In a URL before its path: what may stand in a host and a port. */
function plain(name: string): Part {
  if (name !== 'host') return known(name)
  return (exchange) => {
    const host = hostOf(exchange)
    if (!/^[A-Za-z0-9.\-_:[\]]+$/.test(host)) throw new PorticoError('BAD_HOST')
    return host
  }
}

function known(name: string): Template {
  return template(`$${name}`)
}

/** Of a value that a visitor chose freely. */
function checked(value: string): string {
  if (/(^|[/\\])\.\.?([/\\]|$)|\0/.test(value)) throw new PorticoError('BAD_PATH', 'dots')
  return value
}

function decoded(text: string): string {
  return text.replace(/%[0-9A-Fa-f]{2}/g, (escaped) =>
    String.fromCharCode(Number.parseInt(escaped.slice(1), 16)),
  )
}

/** A value inside a query: `&`, `=`, `+` and `#` would change its meaning. */
function encodeMember(bytes: string): string {
  return bytes.replace(/[^A-Za-z0-9\-._~/]/g, escapeByte)
}

export function escapeByte(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}
