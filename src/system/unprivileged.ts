/** Programs are never root just because nobody has said who they should be. */
import { becoming, findCredentials, ordinaryUser } from './users.ts'

/**
 * What to put before a program in argv, so that it runs as an ordinary user; nothing where we are not root,
 * or are it on purpose (`user: root`). Throws where that cannot be; `what` says whose programs they are.
 */
export function unprivileged(user: string, what: string): readonly string[] {
  if (user !== '' || process.getuid?.() !== 0) return []
  const before = becoming(findCredentials(ordinaryUser(), ''))
  if (before === null) {
    throw new Error(
      `${what}: programs would run as root: set \`user:\`, or install setpriv (util-linux)`,
    )
  }
  return before
}
