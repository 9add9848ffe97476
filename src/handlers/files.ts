/**
 * Serves the files below a folder:
 *
 *     method ── prepared before? ── below ── real path ─┬─ file ── representation ── preconditions ── bytes
 *                                                       ├─ folder ── add slash / index / listing
 *                                                       └─ nothing ── fallback / 404
 *
 * An edited or replaced file shows at once: its metadata is asked for with every request. Where links
 * lead, and whether an earlier index or a compressed file has come to be, is looked at once a second.
 */
import { PorticoError } from '../errors.ts'
import type { AnswerHead, Exchange, Handler } from '../request/exchange.ts'
import { addSlash } from '../request/slash.ts'
import type { FilesPlan } from '../site/plan.ts'
import { answerWith } from './files/answer.ts'
import { askedBy } from './files/asked.ts'
import { bytePath, nativePath } from './files/byte-path.ts'
import { failure } from './files/failure.ts'
import { realPath, realPathInside, statOf } from './files/inspect.ts'
import { answerListing } from './files/listing.ts'
import { type Prepared, PreparedFiles } from './files/prepared.ts'
import { below } from './files/resolve.ts'

const EMPTY = Buffer.alloc(0)
const ALLOW = 'Allow: GET, HEAD, OPTIONS\r\n'
const OPTIONS: AnswerHead = { status: 204, reason: '', fields: ALLOW, has: 0 }
const NOT_ALLOWED: AnswerHead = {
  status: 405,
  reason: '',
  fields: `${ALLOW}Content-Type: text/plain; charset=utf-8\r\n`,
  has: 0,
}
const NOT_ALLOWED_BODY = Buffer.from('files answer GET and HEAD\n')

/** Made once: a stack trace for every path that robots try is dear. */
const MISSING = new PorticoError('NOT_FOUND')

/** Under this key the fallback is remembered; no path is empty. */
const FALLBACK = ''

/** Serves files as `plan` says. */
export function files(plan: FilesPlan): Handler {
  return new FilesHandler(plan)
}

class FilesHandler implements Handler {
  readonly name = 'files'
  readonly #root: string
  readonly #index: readonly string[]
  readonly #fallback: string
  readonly #list: boolean
  readonly #prepared: PreparedFiles
  /** Paths are remembered as they come, which only holds below one prefix. */
  #prefix = ''

  constructor(plan: FilesPlan) {
    this.#root = bytePath(plan.root)
    this.#index = plan.index.map(bytePath)
    this.#fallback = plan.fallback === '' ? '' : `/${bytePath(plan.fallback)}`
    this.#list = plan.list
    this.#prepared = new PreparedFiles(plan.cacheSeconds, plan.precompressed)
  }

  handle(exchange: Exchange): void {
    const { method, path } = exchange.line
    if (method !== 'GET' && method !== 'HEAD') return refuseMethod(exchange)
    if (exchange.prefix !== this.#prefix) {
      this.#prepared.clear()
      this.#prefix = exchange.prefix
    }
    try {
      const prepared = this.#prepared.fresh(path, exchange.began) ?? this.#find(exchange)
      if (prepared !== null) this.#answer(exchange, prepared)
    } catch (cause) {
      exchange.fail(failure(cause))
    }
  }

  close(): void {
    this.#prepared.close()
  }

  #answer(exchange: Exchange, prepared: Prepared): void {
    const asked = askedBy(exchange.fields)
    let chosen = this.#prepared.choose(prepared, asked.acceptEncoding)
    if (chosen === undefined) {
      // The compressed file has just changed.
      const anew = this.#find(exchange)
      if (anew === null) return
      chosen = this.#prepared.choose(anew, asked.acceptEncoding) ?? anew.plain
    }
    answerWith(exchange, chosen, asked)
  }

  /** Null: answered otherwise. */
  #find(exchange: Exchange): Prepared | null {
    const { path } = exchange.line
    const root = statOf(nativePath(this.#root))
    if (root === undefined) throw MISSING
    if (root.isFile()) {
      const real = realPath(this.#root)
      return this.#prepared.prepare(path, this.#root, real, real, exchange.began)
    }
    const rest = below(path, exchange.prefix)
    if (rest === null) throw MISSING
    try {
      return this.#findBelow(exchange, this.#join(rest))
    } catch (cause) {
      const error = failure(cause)
      if (error.code !== 'NOT_FOUND' || this.#fallback === '') throw error
    }
    const fresh = this.#prepared.fresh(FALLBACK, exchange.began)
    return (
      fresh ?? this.#prepare(exchange, FALLBACK, this.#join(this.#fallback), realPath(this.#root))
    )
  }

  #findBelow(exchange: Exchange, target: string): Prepared | null {
    const { path } = exchange.line
    // Asked first because it costs the least: what is missing is often asked for.
    if (statOf(nativePath(target)) === undefined) throw MISSING
    const realRoot = realPath(this.#root)
    const real = realPathInside(target, realRoot)
    const isFolder = statOf(nativePath(real))?.isDirectory() ?? false
    if (!isFolder) {
      if (path.endsWith('/')) throw MISSING
      return this.#prepared.prepare(path, target, real, realRoot, exchange.began)
    }
    if (!path.endsWith('/')) {
      addSlash(exchange)
      return null
    }
    for (const index of this.#index) {
      try {
        return this.#prepare(exchange, path, `${target}/${index}`, realRoot)
      } catch (cause) {
        const error = failure(cause)
        if (error.code !== 'NOT_FOUND') throw error
      }
    }
    if (!this.#list) throw MISSING
    answerListing(exchange, real, realRoot)
    return null
  }

  #prepare(exchange: Exchange, key: string, path: string, realRoot: string): Prepared {
    const real = realPathInside(path, realRoot)
    return this.#prepared.prepare(key, path, real, realRoot, exchange.began)
  }

  #join(rest: string): string {
    return this.#root === '/' ? rest || '/' : this.#root + rest
  }
}

function refuseMethod(exchange: Exchange): void {
  if (exchange.line.method === 'OPTIONS') exchange.respond(OPTIONS, EMPTY)
  else exchange.respond(NOT_ALLOWED, NOT_ALLOWED_BODY)
}
