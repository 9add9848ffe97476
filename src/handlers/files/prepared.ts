/** Everything that one path may be answered with: the file and what was compressed beforehand. */
import { nativePath } from './byte-path.ts'
import { PathCache } from './cache.ts'
import { realPathInside, sameFile, statOf } from './inspect.ts'
import { mediaType } from './media-types.ts'
import { CODINGS, chooseCoding, isCurrent } from './precompressed.ts'
import { type Representation, represent } from './representation.ts'

/**
 * How long we go without looking again where links lead and which compressed files there are, ms. The
 * files themselves are looked at for every request.
 */
const LOOK_AGAIN_MS = 1000

/** What an entry weighs besides its bodies: heads, stats and names. */
const ENTRY_BYTES = 4096

export interface Prepared {
  readonly plain: Representation
  readonly codings: readonly string[]
  /** In the order of `codings`. */
  readonly compressed: readonly Representation[]
  /** On `performance.now()`. */
  readonly until: number
}

export class PreparedFiles {
  readonly #cacheSeconds: number
  readonly #precompressed: boolean
  readonly #cache = new PathCache<Prepared>(weight)

  constructor(cacheSeconds: number, precompressed: boolean) {
    this.#cacheSeconds = cacheSeconds
    this.#precompressed = precompressed
  }

  /** What was prepared for `key`, if the file is still what it was. `now`: on `performance.now()`. */
  fresh(key: string, now: number): Prepared | undefined {
    const prepared = this.#cache.get(key)
    if (prepared === undefined || now > prepared.until) return undefined
    return unchanged(prepared.plain) ? prepared : undefined
  }

  /**
   * Prepares the file at `path`, which leads to `real` inside `realRoot`, and remembers it as `key`.
   * Throws what the file system throws.
   */
  prepare(key: string, path: string, real: string, realRoot: string, now: number): Prepared {
    const known = this.#cache.get(key)
    const type = mediaType(path)
    const cacheSeconds = this.#cacheSeconds
    const beside = this.#precompressed ? findCompressed(path, real, realRoot) : []
    const varies = beside.length > 0
    const facts = { type, coding: '', varies, cacheSeconds, more: null }
    const plain = represent({ path, real, realRoot }, facts, known?.plain)
    const codings: string[] = []
    const compressed: Representation[] = []
    for (const { coding, place } of beside) {
      const before = known?.compressed[known.codings.indexOf(coding)]
      try {
        const file = represent(place, { ...facts, coding }, before)
        codings.push(coding)
        compressed.push(file)
      } catch {
        // It went away or may not be read: the file itself is good enough.
      }
    }
    const prepared = { plain, codings, compressed, until: now + LOOK_AGAIN_MS }
    if (plain.settled && compressed.every((file) => file.settled)) this.#cache.set(key, prepared)
    else this.#cache.delete(key)
    return prepared
  }

  /** The representation for a visitor with this Accept-Encoding; undefined when it has just changed. */
  choose(prepared: Prepared, acceptEncoding: string | null): Representation | undefined {
    const chosen = prepared.compressed[chooseCoding(acceptEncoding, prepared.codings)]
    if (chosen === undefined) return prepared.plain
    return unchanged(chosen) ? chosen : undefined
  }

  clear(): void {
    this.#cache.clear()
  }

  close(): void {
    this.#cache.close()
  }
}

function unchanged(file: Representation): boolean {
  try {
    const stats = statOf(file.path)
    return stats !== undefined && sameFile(stats, file.stats)
  } catch {
    // Whatever it is, looking anew finds it.
    return false
  }
}

function findCompressed(path: string, real: string, realRoot: string) {
  const found: { coding: string; place: { path: string; real: string; realRoot: string } }[] = []
  const original = statOf(nativePath(real))
  if (original === undefined) return found
  for (const { name, suffix } of CODINGS) {
    const beside = path + suffix
    try {
      const stats = statOf(nativePath(beside))
      if (stats === undefined || !stats.isFile()) continue
      if (!isCurrent(stats.mtimeMs, original.mtimeMs)) continue
      const place = { path: beside, real: realPathInside(beside, realRoot), realRoot }
      found.push({ coding: name, place })
    } catch {
      // Not for us: the file itself is good enough.
    }
  }
  return found
}

/** A body counts twice: the gateway may keep its encoded answer too. */
function weight(prepared: Prepared): number {
  let bytes = ENTRY_BYTES + 2 * (prepared.plain.body?.length ?? 0)
  for (const file of prepared.compressed) bytes += ENTRY_BYTES + 2 * (file.body?.length ?? 0)
  return bytes
}
