/**
 * Sends visitors elsewhere. The target is taken exactly as written, as nginx's `return` and Caddy's
 * `redir` do: the query is dropped unless `$query` asks for it. In it stand for
 *
 * - `$path`: the path as it was asked for, percent-encoded as it came;
 * - `$query`: the query with its `?`, nothing when there is none (after a `?` in the target: with `&`);
 * - `$host`: the host asked for, lower case, without a port;
 * - `$1` … `$9`: what the route's regular expression captured, encoded for where it stands.
 *
 * What a visitor sends never changes the host that the target names: a target that begins with a path
 * stays one (`//evil.example` becomes `/evil.example`), and what follows a literal host is its path.
 */
import { PorticoError } from '../errors.ts'
import type { AnswerHead, Exchange, Handler } from '../request/exchange.ts'
import type { RedirectPlan } from '../site/plan.ts'
import { encodePath } from './files/byte-path.ts'

const EMPTY = Buffer.alloc(0)
const VARIABLE = /\$(path|query|host|[1-9])/

/** What may stand in a host and port. Userinfo (`@`) and what ends an authority may not. */
const IN_AUTHORITY = /^[A-Za-z0-9.\-_:[\]]*$/

/** Redirects every request as `plan` says. */
export function redirect(plan: RedirectPlan): Handler {
  const parts = plan.to.split(VARIABLE)
  const fixed = parts.length === 1 ? head(plan.status, encodeText(plan.to)) : null
  return {
    name: 'redirect',
    handle(exchange: Exchange): void {
      if (fixed !== null) return exchange.respond(fixed, EMPTY)
      let location: string
      try {
        location = expand(parts, exchange)
      } catch (cause) {
        const known = cause instanceof PorticoError
        return exchange.fail(known ? cause : new PorticoError('INTERNAL', '', { cause }))
      }
      exchange.respond(head(plan.status, location), EMPTY)
    },
  }
}

function head(status: number, location: string): AnswerHead {
  return { status, reason: '', fields: `Location: ${location}\r\n`, has: 0 }
}

/** `parts`: literal text and names of variables in turn. Throws BAD_HOST or BAD_PATH. */
function expand(parts: readonly string[], exchange: Exchange): string {
  let location = encodeText(parts[0]!)
  const absolute = /^(?:[a-z][a-z0-9+.-]*:)?\/\//i.test(location)
  for (let i = 1; i < parts.length; i += 2) {
    const name = parts[i]!
    const after = parts[i + 1]!
    location = append(location, name, after, exchange) + encodeText(after)
  }
  // `./` and `../` cannot become another host.
  if (absolute || /^(?:\.|\?)/.test(parts[0]!)) return location
  // A path from what the visitor sent: one slash, no backslash, no scheme.
  return `/${location.replace(/^[/\\]+/, '')}`
}

function append(before: string, name: string, after: string, exchange: Exchange): string {
  if (name === 'query') return appendQuery(before, exchange.line.query)
  if (name === 'host') {
    const host = exchange.line.host || exchange.fields.host
    if (host === '' || !IN_AUTHORITY.test(host)) throw new PorticoError('BAD_HOST')
    return before + host
  }
  const value = name === 'path' ? exchange.line.path : (exchange.captures?.[Number(name) - 1] ?? '')
  if (before.includes('?')) return before + encodeMember(value)
  const encoded = name === 'path' ? rawPath(exchange.line.origin) : encodePath(value)
  if (!/^[^/]*\/\/[^/]*$/.test(before) || encoded === '' || encoded.startsWith('/')) {
    return before + encoded
  }
  // In the authority: `https://$1.example.com`, or `https://www.example.com$1` with a path in mind.
  const endsAuthority = after === '' || /^[/?#]/.test(after)
  if (endsAuthority && /[A-Za-z0-9\]]$/.test(before)) return `${before}/${encoded}`
  if (!IN_AUTHORITY.test(encoded)) throw new PorticoError('BAD_PATH')
  return before + encoded
}

function appendQuery(before: string, query: string): string {
  if (query === '') return before
  const encoded = query.replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/?%]/g, escapeByte)
  if (!before.includes('?')) return `${before}?${encoded}`
  return /[?&]$/.test(before) ? before + encoded : `${before}&${encoded}`
}

/** The path of an origin-form target; what browsers would take for something else is encoded. */
function rawPath(origin: string): string {
  const mark = origin.indexOf('?')
  const path = mark < 0 ? origin : origin.slice(0, mark)
  return path.replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/%]/g, escapeByte)
}

/** A value inside a query: `&`, `=`, `+` and `#` would change its meaning. */
function encodeMember(bytes: string): string {
  return bytes.replace(/[^A-Za-z0-9\-._~/]/g, escapeByte)
}

/** The owner's text: as it is, with what no header may hold percent-encoded as UTF-8. */
function encodeText(text: string): string {
  const bytes = Buffer.from(text).toString('latin1')
  return bytes.replace(/[^\x21-\x7e]/g, escapeByte)
}

function escapeByte(byte: string): string {
  return '%' + byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')
}
