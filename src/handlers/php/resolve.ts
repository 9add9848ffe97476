/**
 * Which file of a PHP site a path names, and what that means. Pure but for the disk that it is given.
 *
 * - A script is the one regular file, named `*.php`, that is a prefix of the path; the rest is PATH_INFO.
 *   Since a file has nothing below it there is at most one: `/a.jpg/x.php` never runs a picture.
 * - A file of any other name is sent as it is, unless its name says that it holds source.
 * - A folder is its index; what is nothing is for the front controller.
 * - Hidden names (`.git`, `.env`, `.htaccess`) do not exist, but for `.well-known`.
 *
 * Paths are strings with one latin-1 character a byte.
 */
import { isInside } from '../files/inspect.ts'

export interface Disk {
  /** Of what a path leads to, links followed; '' when nothing is there that could be served. */
  kind(path: string): 'file' | 'folder' | ''
  /** The path without links; '' when nothing is there. */
  real(path: string): string
}

export interface PhpSite {
  /** The document root, without a slash at its end. */
  readonly root: string
  readonly index: readonly string[]
  /** Name of the script for what is no file; '' for none. */
  readonly front: string
  /** Folders, ending in `/`, in which nothing is run. */
  readonly noScripts: readonly string[]
}

export type Found =
  /** `file` and `root` are real paths; `name` is SCRIPT_NAME, `info` PATH_INFO. */
  | {
      readonly kind: 'script'
      readonly file: string
      readonly root: string
      readonly name: string
      readonly info: string
    }
  | { readonly kind: 'file' }
  /** A folder that was asked for without its slash. */
  | { readonly kind: 'slash' }
  | { readonly kind: 'front' }
  | { readonly kind: 'forbidden' }
  | { readonly kind: 'missing' }

const FILE: Found = { kind: 'file' }
const SLASH: Found = { kind: 'slash' }
const FRONT: Found = { kind: 'front' }
const FORBIDDEN: Found = { kind: 'forbidden' }
const MISSING: Found = { kind: 'missing' }

/** As php-fpm's `security.limit_extensions`: on systems that ignore case, `X.PHP` is refused, not run. */
const SCRIPT = '.php'

/** Names of PHP source, however it is spelled, and of copies that editors and people leave. */
const SOURCE =
  /\.(?:ph(?:p[\ds]?|t|tml|ar)|inc)(?:[. ]*|[~#]|[._-](?:bak|backup|old|orig|original|save|sav|sw[a-p]|tmp|temp|dist|copy|txt|gz|br|zst|\d+))$/i

/** The only hidden name that the web defines (RFC 8615). */
const WELL_KNOWN = '.well-known'

/** `path` is percent-decoded, without dot segments; `prefix` the literal part of the route that matched. */
export function resolve(site: PhpSite, disk: Disk, path: string, prefix: string): Found {
  const mount = mountOf(path, prefix)
  if (mount < 0) return MISSING
  const rest = path.slice(mount)
  const base = path.slice(0, mount)
  let target = ''
  let last = ''
  for (let at = 0; at < rest.length; ) {
    const slash = rest.indexOf('/', at + 1)
    const end = slash < 0 ? rest.length : slash
    last = rest.slice(at + 1, end)
    at = end
    if (last === '') continue
    if (last.includes('\0') || (last.startsWith('.') && last !== WELL_KNOWN)) return MISSING
    target += `/${last}`
    if (slash < 0 || !last.endsWith(SCRIPT)) continue
    const kind = disk.kind(site.root + target)
    if (kind === '') return FRONT
    if (kind === 'file') return script(site, disk, target, base, rest.slice(end))
  }
  const kind = disk.kind(site.root + target)
  if (kind === 'folder') return folder(site, disk, target, base, rest.endsWith('/'))
  // A file is no folder: `/a.txt/` names nothing.
  if (kind === '' || rest.endsWith('/')) return FRONT
  return last.endsWith(SCRIPT) ? script(site, disk, target, base, '') : plain(site, disk, target)
}

/** The script for what is no file. */
export function frontScript(site: PhpSite, disk: Disk, path: string, prefix: string): Found {
  const mount = mountOf(path, prefix)
  if (site.front === '' || mount < 0) return MISSING
  return script(site, disk, `/${site.front}`, path.slice(0, mount), '')
}

/**
 * Where in `path` the path below the document root begins, at a slash; -1: nowhere. An exact route
 * (`/favicon.ico`) names the file of that name.
 */
function mountOf(path: string, prefix: string): number {
  if (!path.startsWith('/')) return -1
  if (prefix === '') return 0
  if (prefix.endsWith('/')) return path.startsWith(prefix) ? prefix.length - 1 : -1
  return path === prefix ? path.lastIndexOf('/') : -1
}

function folder(site: PhpSite, disk: Disk, target: string, base: string, slash: boolean): Found {
  for (const name of site.index) {
    const index = `${target}/${name}`
    if (disk.kind(site.root + index) !== 'file') continue
    const found = name.endsWith(SCRIPT)
      ? script(site, disk, index, base, '')
      : plain(site, disk, index)
    if (found.kind === 'forbidden') continue
    return slash || found.kind === 'missing' ? found : SLASH
  }
  return FRONT
}

function script(site: PhpSite, disk: Disk, target: string, base: string, info: string): Found {
  const root = disk.real(site.root)
  const file = disk.real(site.root + target)
  // A link that leads out of the root is nobody's business.
  if (root === '' || file === '' || !isInside(file, root)) return MISSING
  if (!file.endsWith(SCRIPT)) return FORBIDDEN
  for (const barred of site.noScripts) {
    const real = disk.real(barred.slice(0, -1))
    if ((site.root + target).startsWith(barred) || (real !== '' && isInside(file, real))) {
      return FORBIDDEN
    }
  }
  return { kind: 'script', file, root, name: base + target, info }
}

/** A file that is sent as it is, unless it or what it links to is named as source. */
function plain(site: PhpSite, disk: Disk, target: string): Found {
  return isSource(target) || isSource(disk.real(site.root + target)) ? FORBIDDEN : FILE
}

export function isSource(path: string): boolean {
  return SOURCE.test(path)
}
