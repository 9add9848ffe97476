/** From the path of a request to the path of a file: pure, before the file system is asked. */
/** The only hidden name that the web defines (RFC 8615). */
const WELL_KNOWN = '.well-known'

/**
 * What a request path names below the root: `''` for the root itself, else `/a/b` without empty
 * segments and without a slash at its end. `path` is percent-decoded, `prefix` the literal part of the
 * route that matched. Null for hidden names (which includes `..`): whether they exist is nobody's
 * business.
 *
 * An exact route (`/favicon.ico`) names the file of that name: prefix and path are equal then, and
 * what follows their last slash is what is looked for.
 */
export function below(path: string, prefix: string): string | null {
  const from = path === prefix ? path.lastIndexOf('/') : path.startsWith(prefix) ? prefix.length : 0
  let rest = ''
  for (const segment of path.slice(from).split('/')) {
    if (segment === '') continue
    if (segment.charCodeAt(0) === 0x2e && segment !== WELL_KNOWN) return null
    // The gateway refuses NUL already; a file system call would be cut short at one.
    if (segment.includes('\0')) return null
    rest += '/' + segment
  }
  return rest
}
