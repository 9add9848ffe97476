/**
 * Where this server and node:http differ about the same bytes, and why. Each difference is looked at
 * where it begins: up to there both have read the same requests. What is not listed is not explained.
 */
import { METHODS } from 'node:http'
import type { Opinion, Read } from './node-peer.ts'

/** Ours also says why it refused. */
export interface OwnOpinion extends Opinion {
  readonly reason: string
  /** It answered a request that is for no handler. */
  readonly itself: boolean
}

interface Stricter {
  readonly why: string
  /** Matches our reason. */
  readonly reason: RegExp
  /** Holds for what node:http read there; `text` is all that was sent. */
  readonly holds: (theirs: Read, text: string) => boolean
  /** May explain, too, that node:http reads nothing there and does not mind. */
  readonly unread?: boolean
}

const NOTHING: Read = { method: '', target: '', version: '', fields: [], body: '' }

const values = (read: Read, name: string): string[] =>
  read.fields
    .filter((field) => field.startsWith(`${name}: `))
    .map((field) => field.slice(name.length + 2))

const isHost = (text: string): boolean => /^([a-z.0-9]*|\[::1\])(:[0-9]*)?$/i.test(text)

/** We refuse what node:http reads. */
const stricter: readonly Stricter[] = [
  {
    why: 'RFC 9112 §3: one blank between the parts of a request line; llhttp skips several',
    reason: /^malformed request line: (target|HTTP version|no HTTP version)/,
    holds: (_, text) => text.includes('  '),
  },
  {
    why: 'HTTP/0.9 is gone; llhttp still reads a line without a version as one',
    reason: /^malformed request line/,
    holds: ({ version }) => version === '0.9',
  },
  {
    why: 'RFC 9112 §2.2: only CRLF is an empty line before a request; llhttp skips bare CR and LF',
    reason: /^malformed request line: (method|a line that ends in a bare LF)/,
    // A body may have ended between CR and LF.
    holds: (_, text) => /[\r\n]/.test(text.trimEnd()),
    unread: true,
  },
  {
    why: 'only major version 1 is spoken here; llhttp reads 0.9 and 2.0 as well',
    reason: /^HTTP version not supported/,
    holds: ({ version }) => version === '0.9' || version === '2.0',
  },
  {
    why: 'RFC 3986 §2: bytes beyond ASCII are percent-encoded; RFC 9112 §3.2: no fragment',
    reason: /^malformed request line: target/,
    holds: ({ target }) => /[^\x21-\x7e]|#/.test(target),
  },
  {
    why: 'RFC 9112 §3.2: only four forms of a target; llhttp lets the application judge',
    reason: /^malformed request line: target/,
    holds: ({ target }) => !/^(\/|\*$|https?:\/\/)/.test(target),
  },
  {
    why: 'RFC 9112 §3.2.4: the asterisk is for OPTIONS',
    reason: /^malformed request line: \* is for OPTIONS/,
    holds: ({ target }) => target === '*',
  },
  {
    why: 'a path is decoded and resolved here, so it must be one that can be',
    reason: /^malformed path/,
    holds: ({ target }) => /%|\/\.\./.test(target),
  },
  {
    why: 'RFC 9112 §3.2: exactly one Host, and a valid one; node:http takes the first',
    reason: /^missing or malformed Host/,
    holds: (read) => {
      const hosts = values(read, 'host')
      const authority = /^https?:\/\/([^/?]*)/i.exec(read.target)?.[1]
      return (
        hosts.length !== 1 ||
        !isHost(hosts[0]!) ||
        (authority ?? 'a') === '' ||
        !isHost(authority ?? 'a')
      )
    },
  },
  {
    why: 'RFC 9110 §10.1.1: an expectation nobody can meet; node:http leaves it to a listener',
    reason: /^expectation not supported/,
    holds: (read) => values(read, 'expect').some((value) => value.toLowerCase() !== '100-continue'),
  },
  {
    why: 'RFC 9112 §6.1: only chunked is implemented; llhttp looks for chunked at the end alone',
    reason: /^(transfer coding not implemented|ambiguous message length: Transfer-Encoding)/,
    holds: (read) => values(read, 'transfer-encoding').join().toLowerCase() !== 'chunked',
  },
  {
    why: 'RFC 9112 §6.1: a coding in HTTP/1.0 is faulty framing',
    reason: /^ambiguous message length: Transfer-Encoding in HTTP\/1\.0/,
    holds: ({ version }) => version === '1.0',
  },
  {
    why: 'RFC 9110 §6.5.1: what frames a message cannot come behind its content',
    reason: /^malformed chunked body: (content-length|transfer-encoding|host) among the trailers/,
    holds: (read) => values(read, 'transfer-encoding').length > 0,
  },
]

function closes(read: Read | undefined): boolean {
  if (read === undefined) return false
  const options = values(read, 'connection').join().toLowerCase()
  if (/(^|[, \t])close([, \t]|$)/.test(options)) return true
  return read.version === '1.0' && !options.includes('keep-alive')
}

function asksToUpgrade(read: Read | undefined): boolean {
  if (read === undefined || values(read, 'upgrade').length === 0) return false
  return values(read, 'connection').join().toLowerCase().includes('upgrade')
}

interface Laxer {
  readonly why: string
  readonly holds: (ours: Read, text: string) => boolean
}

/** We read what node:http refuses. */
const laxer: readonly Laxer[] = [
  {
    why: 'RFC 9110 §9.1: a method is any token; llhttp knows a list',
    holds: ({ method }) => !METHODS.includes(method),
  },
  {
    why: 'RFC 9110 §2.5: a higher minor version is read as the highest known one',
    holds: (_, text) => /HTTP\/1\.[2-9]\r\n/.test(text),
  },
  {
    why: 'RFC 9112 §7.1.1: blanks around the parts of a chunk extension are to be skipped',
    holds: (ours, text) =>
      values(ours, 'transfer-encoding').length > 0 && /[ \t]+[;=]|[;=][ \t]+/.test(text),
  },
]

/**
 * Null where both agree, else why they do not: a sentence of the lists above. Throws for a difference
 * that has none. `again` does the same for another text.
 */
export async function explain(
  text: string,
  ours: OwnOpinion,
  peer: Opinion,
  again: (text: string) => Promise<string | null>,
): Promise<string | null> {
  // `OPTIONS *` is for the server itself (RFC 9110 §9.3.7), so ours has no handler that could see it.
  const theirs = {
    ...peer,
    served: peer.served.filter((read) => !(ours.itself && read.target === '*')),
  }
  let at = 0
  while (at < ours.served.length && at < theirs.served.length) {
    if (JSON.stringify(ours.served[at]) !== JSON.stringify(theirs.served[at])) {
      throw new Error(`both read request ${at}, differently`)
    }
    at++
  }
  const own = ours.served[at]
  const their = theirs.served[at] ?? theirs.begun
  if (own === undefined && theirs.served[at] === undefined && ours.refused === theirs.refused) {
    return null
  }
  if (own === undefined && ours.itself) {
    return 'RFC 9110 §9.3.7: OPTIONS * is for the server itself, which judges its body as any other'
  }
  const asked = theirs.begun ?? ours.served[at - 1]
  if (theirs.served[at] === undefined && !theirs.refused && asksToUpgrade(asked)) {
    return 'RFC 9110 §7.8: an upgrade may be ignored; node:http then loses what came in the same read'
  }
  if (own === undefined && their === undefined) {
    if (!ours.refused && closes(ours.served.at(-1)))
      return 'RFC 9112 §9.6: behind a request that closes nothing is read; llhttp refuses what is there'
    if (!ours.refused && !text.endsWith('\r\n\r\n\r\n')) {
      // node:http judges a head before it is complete; complete it must fail here, too.
      await again(`${text}\r\n\r\n`)
      return 'an incomplete head is not judged here, and its end is not an error'
    }
  }
  if (own !== undefined) {
    const found = laxer.find(({ holds }) => holds(own, text))
    if (found !== undefined && theirs.refused) return found.why
  } else if (ours.refused) {
    const found = stricter.find(
      ({ reason, holds, unread }) =>
        (their !== undefined || unread === true) &&
        reason.test(ours.reason) &&
        holds(their ?? NOTHING, text),
    )
    if (found !== undefined) return found.why
  }
  throw new Error('a difference without an explanation')
}
