/**
 * Opens a file so that nothing outside the root can be read through it, however links point or are
 * swapped meanwhile: links are followed only while the real path stays inside the real root.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readlinkSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs'
import { PorticoError } from '../../errors.ts'
import { nativePath } from './byte-path.ts'
import { errno } from './failure.ts'

/** A FIFO must not block us, a terminal not become ours, and the last name be no link any more. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY | constants.O_NOFOLLOW

const AS_BYTES = { encoding: 'buffer' } as const
const MAY_LACK = { throwIfNoEntry: false } as const

/** The path without links, as bytes. Throws what `realpath` throws. */
export function realPath(bytes: string): string {
  return realpathSync.native(nativePath(bytes), AS_BYTES).toString('latin1')
}

/** The real path of `bytes`, or NOT_FOUND when it is not `realRoot` and not below it. */
export function realPathInside(bytes: string, realRoot: string): string {
  const real = realPath(bytes)
  if (!isInside(real, realRoot)) throw outside(real)
  return real
}

export function isInside(real: string, realRoot: string): boolean {
  if (realRoot === '/' || real === realRoot) return true
  return real.length > realRoot.length && real.startsWith(realRoot) && real[realRoot.length] === '/'
}

/** Undefined when nothing is there. Throws for what may not be looked at. */
export function statOf(path: string | Buffer): Stats | undefined {
  return statSync(path, MAY_LACK)
}

/** A regular file, open for reading. The receiver closes `fd`. */
export interface OpenFile {
  readonly fd: number
  readonly stats: Stats
}

/** Opens the regular file at `real`, a path without links that is inside `realRoot`. */
export function openInside(real: string, realRoot: string): OpenFile {
  const path = nativePath(real)
  // Opening a device can have effects of its own, so ask before.
  const before = statSync(path)
  if (!before.isFile()) throw new PorticoError('FILE_UNREADABLE', 'not a regular file')
  const fd = openSync(path, FLAGS)
  try {
    const stats = fstatSync(fd)
    if (!stats.isFile()) throw new PorticoError('FILE_UNREADABLE', 'not a regular file')
    proveInside(fd, stats, real, realRoot)
    return { fd, stats }
  } catch (cause) {
    closeSync(fd)
    throw cause
  }
}

/**
 * A folder on the way may have been swapped for a link between the look and the opening: ask the
 * kernel what was opened. Without /proc, what the path means now must be the very same file.
 */
function proveInside(fd: number, stats: Stats, real: string, realRoot: string): void {
  let opened: string
  try {
    opened = readlinkSync(`/proc/self/fd/${fd}`, AS_BYTES).toString('latin1')
  } catch (cause) {
    if (errno(cause) !== 'ENOENT' && errno(cause) !== 'EACCES') throw cause
    opened = realPath(real)
    if (!sameFile(stats, statSync(nativePath(opened)))) throw outside(opened)
  }
  if (!isInside(opened, realRoot)) throw outside(opened)
}

/** Not 403, and no word on the page: what exists outside is nobody's business. The cause is the log's. */
function outside(real: string): PorticoError {
  return new PorticoError('NOT_FOUND', '', {
    cause: new Error(`a link leads out of the root to ${real}`),
  })
}

/** The same file with the same content, as far as its metadata can tell. */
export function sameFile(one: Stats, other: Stats): boolean {
  return (
    one.ino === other.ino &&
    one.mtimeMs === other.mtimeMs &&
    one.size === other.size &&
    one.ctimeMs === other.ctimeMs &&
    one.dev === other.dev
  )
}
