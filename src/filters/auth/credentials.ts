/** What an Authorization field says (RFC 7617). Pure. */

export interface Credentials {
  /** As bytes, one latin-1 character each. */
  readonly name: string
  readonly password: string
}

const BASIC = /^basic +([A-Za-z0-9+/]+={0,2})$/i
/** Longer names and passwords are nobody's. */
const LONGEST = 1024

/** Null: none, or none that could be right. */
export function parseCredentials(value: string | undefined): Credentials | null {
  if (value === undefined || value.length > LONGEST) return null
  const match = BASIC.exec(value)
  if (match === null) return null
  const bytes = Buffer.from(match[1]!, 'base64')
  const colon = bytes.indexOf(0x3a)
  if (colon < 1) return null
  const name = bytes.toString('latin1', 0, colon)
  // §2: no control characters; a NUL would end the password for some hashes.
  if (/[\x00-\x1f\x7f]/.test(bytes.toString('latin1'))) return null
  return { name, password: bytes.toString('utf8', colon + 1) }
}
