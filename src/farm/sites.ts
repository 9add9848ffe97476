/** Which sites a farm has: the files that its patterns match, and whose they are. */
import { globSync, lstatSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, extname, resolve } from 'node:path'

export interface FoundSite {
  /** Absolute. */
  readonly file: string
  /** Unlike any other's: `shop` for `apps.d/shop.yaml` and for `/srv/shop/site.yaml`. */
  readonly name: string
  /** Another one means that the file has changed. */
  readonly stamp: string
  readonly uid: number
  readonly gid: number
  /** Why it is not served; '' when nothing speaks against it. */
  readonly refused: string
}

/** Folders of the farm itself. */
const RESERVED = ['front']
const OTHERS_MAY_WRITE = 0o002

/** In the order of their paths. */
export function findSites(patterns: readonly string[], folder: string): FoundSite[] {
  const files = new Set(
    patterns
      .flatMap((pattern) => globSync(pattern, { cwd: folder }))
      .map((path) => resolve(folder, path)),
  )
  const names = new Set(RESERVED)
  const found: FoundSite[] = []
  for (const file of [...files].sort()) {
    const stats = statSync(file, { throwIfNoEntry: false })
    if (stats === undefined || !stats.isFile()) continue
    const name = unlike(names, nameOf(file))
    names.add(name)
    const stamp = `${stats.ino}-${stats.mtimeMs}-${stats.size}-${stats.mode}`
    found.push({ file, name, stamp, uid: stats.uid, gid: stats.gid, refused: refusal(file, stats) })
  }
  return found
}

function nameOf(file: string): string {
  const stem = basename(file, extname(file))
  const name = ['site', 'portico'].includes(stem) ? basename(dirname(file)) : stem
  return name.replace(/[^A-Za-z0-9_-]+/g, '-').slice(0, 24) || 'site'
}

function unlike(taken: ReadonlySet<string>, name: string): string {
  for (let n = 2, other = name; ; n++) {
    if (!taken.has(other)) return other
    other = `${name}-${n}`
  }
}

/** A site runs as its file's owner: so it must be the owner who put it there. */
function refusal(file: string, stats: Stats): string {
  if ((stats.mode & OTHERS_MAY_WRITE) !== 0) return 'everybody may write it; `chmod o-w` it'
  if (lstatSync(file).uid !== stats.uid) return 'a link to a file of somebody else'
  for (let path = dirname(file); path !== dirname(path); path = dirname(path)) {
    const { uid } = lstatSync(path)
    // Whoever made it would choose which of another's files are sites.
    if (uid !== 0 && uid !== stats.uid && lstatSync(path).isSymbolicLink())
      return `somebody else’s link leads to it: ${path}`
  }
  const folder = statSync(dirname(file))
  if (folder.uid !== stats.uid && folder.uid !== 0) {
    return 'its folder is neither its owner’s nor root’s'
  }
  return ''
}
