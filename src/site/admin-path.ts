/** Where a site's admin socket is when the site file does not say. */
import { createHash } from 'node:crypto'
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
  const hash = createHash('sha256').update(identity).digest('hex').slice(0, 8)
  const folder = /\.\w+$/.test(identity) ? dirname(identity) : identity
  const name =
    basename(folder)
      .replace(/[^A-Za-z0-9_-]+/g, '-')
      .slice(0, 24) || 'site'
  const file = `${name}-${hash}.sock`
  const fits = (path: string): boolean => Buffer.byteLength(path) <= LONGEST_SOCKET_PATH
  return (
    folders(environment)
      .map((base) => join(base, file))
      .find(fits) ?? join('/tmp', file)
  )
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
