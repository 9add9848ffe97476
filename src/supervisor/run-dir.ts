/**
 * A private folder for the sockets between supervisor, server and workers:
 *
 *     /run/portico/site-<pid>-XXXXXX/    (or below XDG_RUNTIME_DIR, or the folder for temporary files)
 *       log.sock                         workers send their stderr here
 *       commons.sock                     what applications share
 *       1/link-0.sock …                  generation 1's server threads listen for workers here
 *       1.0/ …                           its first application's, where it has quarters of its own
 */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeAbandoned } from '../system/abandoned.ts'
import type { Credentials } from '../system/users.ts'

/** Longest path inside, so that every socket's path fits into `sun_path`. */
const LONGEST_INSIDE = '/9999999.999/meet/http-4194304.sock'.length
const MAX_UNIX_PATH = 103
const OURS = '/run/portico'
const SPOOL_PREFIX = 'portico-bodies-'

export interface RunDir {
  readonly path: string
  readonly logSocket: string
  readonly commonsSocket: string
  /** Creates the folder of a generation's link sockets. */
  createLinkDir(generation: number): string
  removeLinkDir(generation: number): void
  /** Where an application's own folder is to be made. */
  quarters(generation: number, number: number): string
  /** A folder of ours in the one for request bodies, for those of applications with quarters. */
  spool(parent: string): string
  remove(): void
}

/**
 * What is inside is open only to the user that the server and the workers run as. The folder itself is
 * root's where root makes it: others pass through it to what is theirs, and see nothing.
 */
export function createRunDir(credentials: Credentials | null): RunDir {
  const path = createFirst(candidates())
  const own = (folder: string): void => {
    if (credentials !== null) chownSync(folder, credentials.uid, credentials.gid)
  }
  if (process.getuid?.() === 0) chmodSync(path, 0o711)
  const spools = new Map<string, string>()
  return {
    path,
    logSocket: join(path, 'log.sock'),
    commonsSocket: join(path, 'commons.sock'),
    createLinkDir(generation) {
      const folder = join(path, String(generation))
      mkdirSync(folder, { mode: 0o700 })
      own(folder)
      return folder
    },
    removeLinkDir: (generation) => removeFolder(join(path, String(generation))),
    quarters: (generation, number) => join(path, `${generation}.${number}`),
    spool(parent) {
      let folder = spools.get(parent)
      if (folder === undefined) {
        removeAbandoned(parent, SPOOL_PREFIX)
        folder = mkdtempSync(join(parent, `${SPOOL_PREFIX}${process.pid}-`))
        if (process.getuid?.() === 0) chmodSync(folder, 0o711)
        spools.set(parent, folder)
      }
      return folder
    },
    remove() {
      removeFolder(path)
      for (const folder of spools.values()) removeFolder(folder)
    },
  }
}

function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true })
}

function candidates(): string[] {
  const runtime = process.env.XDG_RUNTIME_DIR ?? ''
  const mine = process.getuid?.() === 0 ? '/run' : runtime
  const [given = ''] = (process.env.RUNTIME_DIRECTORY ?? '').split(':')
  return [given, mine, tmpdir(), '/tmp'].filter((folder) => folder.startsWith('/'))
}

function createFirst(folders: readonly string[]): string {
  let reason: unknown
  for (const base of folders) {
    // The folder for temporary files is everybody's: no fixed name there that another could take.
    const parent = base === '/run' ? OURS : base
    const prefix = parent === OURS ? 'site-' : 'portico-'
    try {
      if (parent !== base) mkdirSync(parent, { recursive: true, mode: 0o755 })
      removeAbandoned(parent, prefix, parent === OURS)
      const stem = join(parent, `${prefix}${process.pid}-`)
      if (stem.length + 6 + LONGEST_INSIDE > MAX_UNIX_PATH) continue
      return mkdtempSync(stem)
    } catch (error) {
      reason = error
    }
  }
  throw new Error(`no folder for the site's sockets: tried ${folders.join(', ')}`, {
    cause: reason,
  })
}
