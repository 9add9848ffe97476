/**
 * Which program answers for a path. Paths are bytes, one latin-1 character each. A program is an
 * executable regular file in the folder; links are followed while they lead to something inside it.
 */
import { accessSync, constants } from 'node:fs'
import { dirname } from 'node:path'
import { PorticoError } from '../../errors.ts'
import { clock } from '../../request/clock.ts'
import type { CgiPlan } from '../../site/plan.ts'
import { bytePath, nativePath } from '../files/byte-path.ts'
import { failure } from '../files/failure.ts'
import { realPath, realPathInside, statOf } from '../files/inspect.ts'
import { printable } from './words.ts'

/** A program and how the path divides at it (RFC 3875 §4.1.13, §4.1.5). */
export interface Program {
  /** Real path. */
  readonly file: string
  /** As the site has it: its path below the root, without links resolved. */
  readonly script: string
  /** The part of the URL's path that names the program; '' where it answers for all of a host. */
  readonly scriptName: string
  /** The rest: '' or something that begins with a slash. */
  readonly pathInfo: string
}

/** Made once: a stack trace for every path that robots try is dear. */
const MISSING = new PorticoError('NOT_FOUND')

const SLASH = 0x2f
const DOT = 0x2e

/** Where a path leads is looked at once a second: that saves 18 system calls a launch. */
const KNOWN_MS = 1000
const MOST_KNOWN = 256

interface Known {
  readonly program: Program
  /** On `clock.now`. */
  readonly until: number
}

/** Finds the programs of one route. */
export class Finder {
  readonly root: string
  readonly #index: readonly string[]
  /** By path: the prefix of a route never changes. */
  readonly #known = new Map<string, Known>()

  constructor(plan: CgiPlan) {
    this.root = bytePath(plan.root)
    this.#index = plan.index.map(bytePath)
  }

  /**
   * The program for `path`; null when the path is a folder's without its slash. `prefix` is the
   * literal part of the route that matched. Throws NOT_FOUND, or FILE_UNREADABLE for what is there and
   * cannot be run.
   */
  find(path: string, prefix: string): Program | null {
    const known = this.#known.get(path)
    if (known !== undefined && known.until > clock.now) return known.program
    const program = this.#look(path, prefix)
    if (this.#known.size >= MOST_KNOWN) this.#known.clear()
    if (program !== null) this.#known.set(path, { program, until: clock.now + KNOWN_MS })
    return program
  }

  #look(path: string, prefix: string): Program | null {
    try {
      if (path.includes('\0')) throw MISSING
      const root = statOf(nativePath(this.root))
      if (root === undefined) throw MISSING
      return root.isDirectory() ? this.#below(path, prefix) : this.#one(path, prefix)
    } catch (cause) {
      throw failure(cause)
    }
  }

  /** The route names the program itself: what follows the route's path is for it to understand. */
  #one(path: string, prefix: string): Program {
    const mount = prefix.endsWith('/') ? prefix.length - 1 : prefix.length
    return this.#program(this.root, realPath(this.root), path.slice(0, mount), path.slice(mount))
  }

  #below(path: string, prefix: string): Program | null {
    const realRoot = realPath(this.root)
    // An exact route, or a regular expression: the path's own segments are looked for, as with files.
    const isPrefix = prefix.endsWith('/') && path.startsWith(prefix)
    let at = isPrefix ? prefix.length - 1 : path === prefix ? path.lastIndexOf('/') : 0
    let target = this.root === '/' ? '' : this.root
    for (;;) {
      while (path.charCodeAt(at + 1) === SLASH) at++
      const end = segmentEnd(path, at + 1)
      if (end === at + 1) return this.#inFolder(path, at, target, realRoot)
      // Hidden names, which `..` is one of, are nobody's business.
      if (path.charCodeAt(at + 1) === DOT) throw MISSING
      target += path.slice(at, end)
      const stats = statOf(nativePath(target))
      if (stats === undefined) throw MISSING
      if (!stats.isDirectory()) {
        const real = realPathInside(target, realRoot)
        return this.#program(target, real, path.slice(0, end), path.slice(end))
      }
      if (end === path.length) {
        // What is outside is not told apart from what is not there.
        realPathInside(target, realRoot)
        if (this.#index.length === 0) throw MISSING
        return null
      }
      at = end
    }
  }

  /** `at` is the slash at the path's end. The index belongs to the URL of its folder. */
  #inFolder(path: string, at: number, folder: string, realRoot: string): Program {
    for (const name of this.#index) {
      const target = `${folder}/${name}`
      if (statOf(nativePath(target)) === undefined) continue
      const real = realPathInside(target, realRoot)
      return this.#program(target, real, `${path.slice(0, at)}/${name}`, '')
    }
    throw MISSING
  }

  #program(script: string, file: string, scriptName: string, pathInfo: string): Program {
    const native = nativePath(file)
    const stats = statOf(native)
    if (stats?.isFile() !== true) throw MISSING
    try {
      accessSync(native, constants.X_OK)
    } catch (cause) {
      throw new PorticoError('FILE_UNREADABLE', `${printable(file)} cannot be run: chmod +x`, {
        cause,
      })
    }
    return { file, script, scriptName, pathInfo }
  }
}

/** Where the segment that begins at `from` ends. */
function segmentEnd(path: string, from: number): number {
  const slash = path.indexOf('/', from)
  return slash < 0 ? path.length : slash
}

/** The folder of a program: where it runs. */
export function folderOf(file: string): string {
  return dirname(file)
}
