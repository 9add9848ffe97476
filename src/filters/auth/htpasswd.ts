/** Files of names and hashed passwords, as `htpasswd` writes them. Pure. */

/** What is wrong with a file: the line's number and why. */
export class HtpasswdError extends Error {
  readonly line: number

  constructor(line: number, why: string) {
    super(line === 0 ? why : `line ${line}: ${why}`)
    this.name = 'HtpasswdError'
    this.line = line
  }
}

const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/
const APR1 = /^\$apr1\$[^$]{0,8}\$[./A-Za-z0-9]{22}$/
const SHA = /^\{SHA\}[A-Za-z0-9+/]{27}=$/
const SSHA = /^\{SSHA\}[A-Za-z0-9+/]{28,}={0,2}$/
/** Of bcrypt: one above takes a minute for each try. */
const MOST_COST = 16

/** Why a hash cannot be used; '' where it can. */
export function hashTrouble(hash: string): string {
  const bcrypt = BCRYPT.exec(hash)
  if (bcrypt !== null) {
    const cost = Number(bcrypt[1])
    return cost >= 4 && cost <= MOST_COST
      ? ''
      : `a bcrypt cost of ${cost}: 4 to ${MOST_COST} are taken`
  }
  if (APR1.test(hash) || SHA.test(hash) || SSHA.test(hash)) return ''
  if (hash.startsWith('{PLAIN}')) return 'a password in plain text: hash it with `htpasswd -B`'
  return 'not a hash of bcrypt ($2y$), apr1 ($apr1$) or {SHA}: write it with `htpasswd -B`'
}

/** Names (latin-1, as they come in requests) to hashes. `text` is latin-1. Throws HtpasswdError. */
export function parseHtpasswd(text: string): Map<string, string> {
  const users = new Map<string, string>()
  const lines = text.split(/\r?\n/)
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const colon = line.indexOf(':')
    if (colon < 1) throw new HtpasswdError(index + 1, 'not name:hash')
    const name = line.slice(0, colon)
    // What follows another colon is a comment to nginx, and to Apache.
    const hash = line
      .slice(colon + 1)
      .split(':', 1)[0]!
      .trim()
    const trouble = hashTrouble(hash)
    if (trouble !== '') throw new HtpasswdError(index + 1, trouble)
    // As with Apache and nginx the first one counts.
    if (!users.has(name)) users.set(name, hash)
  }
  return users
}
