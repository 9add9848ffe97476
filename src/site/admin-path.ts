/** Where a site's admin socket is when the site file does not say. */
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { LONGEST_SOCKET_PATH } from './address.ts'

/**
 * The same site has the same path each time, so that `portico status` finds what `portico serve` began.
 * `identity` is the absolute path of the site file or folder, or what else names the site.
 */
export function defaultAdminPath(
  identity: string,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const file = `${siteName(identity)}.sock`
  const fits = (path: string): boolean => Buffer.byteLength(path) <= LONGEST_SOCKET_PATH
  return (
    folders(environment)
      .map((base) => join(base, file))
      .find(fits) ?? join('/tmp', file)
  )
}

/** A file name of a site's own. */
export function siteName(identity: string): string {
  const folder = /\.\w+$/.test(identity) ? dirname(identity) : identity
  const name =
    basename(folder)
      .replace(/[^A-Za-z0-9_-]+/g, '-')
      .slice(0, 24) || 'site'
  return `${name}-${fingerprint(identity)}`
}

function folders(environment: Readonly<Record<string, string | undefined>>): string[] {
  const uid = process.getuid?.() ?? 0
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
