/**
 * Serves a PHP site: files below its document root as they are, scripts by php-fpm or php-cgi.
 *
 *     path ── resolve ─┬─ script ── body gathered ── gate ── FastCGI
 *                      ├─ file ── the files handler
 *                      ├─ folder without its slash ── redirect
 *                      └─ nothing ── front controller / 404
 *
 * What a path that exists means is looked at once a second: new files show at once, removed ones within
 * that time; files that are sent are looked at for every request.
 */
import { PorticoError } from '../errors.ts'
import { type AppRoute, USUAL_ROUTE } from '../request/app-route.ts'
import type { Exchange, Handler } from '../request/exchange.ts'
import { gathered } from '../request/gathered.ts'
import { addSlash } from '../request/slash.ts'
import type { PhpAppPlan } from '../site/plan.ts'
import type { Script } from '../transports/variables.ts'
import { bytePath } from './files/byte-path.ts'
import { PathCache } from './files/cache.ts'
import { failure } from './files/failure.ts'
import { files } from './files.ts'
import { disk } from './php/disk.ts'
import type { Gate } from './php/gate.ts'
import { type Found, frontScript, type PhpSite, resolve } from './php/resolve.ts'

/** How long an answer of the file system holds, ms. */
const LOOK_AGAIN_MS = 1000
/** What an entry weighs besides its key, bytes. */
const ENTRY_BYTES = 512
/** Under this key the front controller is remembered; no path is empty. */
const FRONT = ''

const MISSING = new PorticoError('NOT_FOUND')
const FORBIDDEN = new PorticoError('FORBIDDEN')

interface Known {
  readonly found: Found
  /** On `performance.now()`. */
  readonly until: number
}

/** `spool`: the folder for request bodies too large for memory. */
export function php(
  app: PhpAppPlan,
  gate: Gate,
  spool: string,
  route: AppRoute = USUAL_ROUTE,
): Handler {
  return new PhpHandler(app, gate, spool, route)
}

class PhpHandler implements Handler {
  readonly name = 'php'
  readonly #site: PhpSite
  readonly #gate: Gate
  readonly #spool: string
  readonly #route: AppRoute
  readonly #files: Handler
  readonly #known = new PathCache<Known>(() => ENTRY_BYTES)

  constructor(app: PhpAppPlan, gate: Gate, spool: string, route: AppRoute) {
    this.#route = route
    this.#site = {
      root: bytePath(app.dir),
      index: app.index.map(bytePath),
      front: bytePath(app.front),
      noScripts: app.noScripts.map((folder) => `${bytePath(folder)}/`),
    }
    this.#gate = gate
    this.#spool = spool
    this.#files = files({
      kind: 'files',
      root: app.dir,
      index: app.index.filter((name) => !name.endsWith('.php')),
      cacheSeconds: -1,
      fallback: '',
      list: false,
      precompressed: true,
    })
  }

  handle(exchange: Exchange): void {
    let found: Found
    try {
      found = this.#find(exchange)
      if (found.kind === 'front') found = this.#front(exchange)
    } catch (cause) {
      return exchange.fail(failure(cause))
    }
    switch (found.kind) {
      case 'script':
        return this.#run(exchange, found)
      case 'file':
        return this.#files.handle(exchange)
      case 'slash':
        return addSlash(exchange)
      case 'forbidden':
        return exchange.fail(FORBIDDEN)
      default:
        return exchange.fail(MISSING)
    }
  }

  close(): void {
    this.#known.close()
    this.#files.close?.()
  }

  #find({ line, prefix, began }: Exchange): Found {
    const known = this.#known.get(line.path)
    if (known !== undefined && began < known.until) return known.found
    const found = resolve(this.#site, disk, line.path, prefix)
    // There is no end of paths that name nothing, or that have something behind a script.
    const exists = found.kind === 'file' || (found.kind === 'script' && found.info === '')
    if (exists) this.#known.set(line.path, { found, until: began + LOOK_AGAIN_MS })
    return found
  }

  #front({ line, prefix, began }: Exchange): Found {
    const known = this.#known.get(FRONT)
    if (known !== undefined && began < known.until) return known.found
    const found = frontScript(this.#site, disk, line.path, prefix)
    this.#known.set(FRONT, { found, until: began + LOOK_AGAIN_MS })
    return found
  }

  #run(exchange: Exchange, found: Extract<Found, { kind: 'script' }>): void {
    const { file, root, name, info } = found
    const script: Script = { name, info, file, root, uri: name + info }
    const { fields } = exchange
    if (!fields.chunked && fields.contentLength === 0)
      return this.#gate.submit(exchange, script, this.#route)
    gathered(exchange, this.#spool, (whole) => this.#gate.submit(whole, script, this.#route))
  }
}
