/** Programs are never root just because nobody has said who they should be. */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { becoming, findCredentials, ordinaryUser } from '../../system/users.ts'

/**
 * What to put before a program in argv, so that it runs as an ordinary user; nothing where we are not root,
 * or are it on purpose (`user: root`). Throws where that cannot be.
 */
export function unprivileged(user: string): readonly string[] {
  if (user !== '' || process.getuid?.() !== 0) return []
  const before = becoming(findCredentials(ordinaryUser(), ''))
  if (before === null) {
    throw new Error('cgi: programs would run as root: set `user:`, or install setpriv (util-linux)')
  }
  const [command = '', ...switches] = before
  return [inPath(command), ...switches]
}

/** posix_spawn looks at no PATH. */
function inPath(name: string): string {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const file = join(folder, name)
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {
      // Not in this one.
    }
  }
  throw new Error(`cgi: ${name} is not in PATH`)
}
