/** Where a site's admin socket is when the site file does not say. */
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { LONGEST_SOCKET_PATH } from './address.ts'

/** Characters of a site's name in names of files. */
const LONGEST_NAME = 24

/**
 * The same site has the same path each time, so that `portico status` finds what `portico serve` began.
 * `identity` is the absolute path of the site file or folder, or what else names the site.
 */
export function defaultAdminPath(
  identity: string,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const file = `${siteStem(identity)}.sock`
  const fits = (path: string): boolean => Buffer.byteLength(path) <= LONGEST_SOCKET_PATH
  return (
    folders(environment)
      .map((base) => join(base, file))
      .find(fits) ?? join('/tmp', file)
  )
}

/** Where a site's admin socket is when systemd made its runtime directory, as `portico install` asks. */
export function installedAdminPath(identity: string, runtime: string): string {
  const stem = siteStem(identity)
  return join(runtime, 'portico', stem, `${stem}.sock`)
}

/** `shop-1a2b3c4d`: tells the sites of a machine apart. */
export function siteStem(identity: string): string {
  return `${siteName(identity)}-${fingerprint(identity)}`
}

/** `shop`: the folder's name, as far as names of files and units allow it. */
export function siteName(identity: string): string {
  const folder = /\.\w+$/.test(identity) ? dirname(identity) : identity
  const name = basename(folder).replace(/[^A-Za-z0-9_-]+/g, '-')
  return name.slice(0, LONGEST_NAME) || 'site'
}

function folders(environment: Readonly<Record<string, string | undefined>>): string[] {
  const uid = process.getuid?.() ?? 0
  // systemd's RuntimeDirectory=, the first of several.
  const [given = ''] = (environment.RUNTIME_DIRECTORY ?? '').split(':')
  if (given.startsWith('/')) return [given]
  // Among everybody's temporary files, a folder of one's own keeps others from taking the name.
  const mine = `portico-${uid}`
  const temporary = [join(tmpdir(), mine), join('/tmp', mine)]
  if (uid === 0) return existsSync('/run') ? ['/run/portico', ...temporary] : temporary
  const runtime = environment.XDG_RUNTIME_DIR ?? ''
  return runtime.startsWith('/') ? [join(runtime, 'portico'), ...temporary] : temporary
}

/** FNV-1a: tells sites apart, no more; loading node:crypto for it takes 8 ms of every start. */
function fingerprint(text: string): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of Buffer.from(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  }
  return hash.toString(16).padStart(16, '0').slice(0, 8)
}
