/** How visitors say who they are, the same in IMAP, POP3 and SMTP (SASL, RFC 4422). Pure. */

export type SaslName = 'plain' | 'login' | 'cram-md5' | 'external'

/** As nginx calls it in Auth-Method. */
export type AuthMethod = 'plain' | 'apop' | 'cram-md5' | 'external' | 'none'

/** What visitors have said of who they are; bytes, latin-1. */
export interface Credentials {
  readonly method: AuthMethod
  readonly user: string
  /** For cram-md5 and apop: the digest. */
  readonly password: string
  /** What the digest is of; '' for none. */
  readonly salt: string
}

export type SaslStep =
  /** In base64. */
  | { readonly challenge: string }
  | { readonly credentials: Credentials }
  | { readonly wrong: string }

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
/** "Username:" and "Password:". */
const ASK_USER = 'VXNlcm5hbWU6'
const ASK_PASSWORD = 'UGFzc3dvcmQ6'

export class Sasl {
  readonly #name: SaslName
  readonly #salt: string
  #user: string | null = null

  /** `salt`: of cram-md5, `<unique@host>`. */
  constructor(name: SaslName, salt: string) {
    this.#name = name
    this.#salt = salt
  }

  /** What to ask first, where the visitor has said nothing yet. */
  begin(): SaslStep {
    if (this.#name === 'cram-md5') return { challenge: Buffer.from(this.#salt).toString('base64') }
    return { challenge: this.#name === 'login' ? ASK_USER : '' }
  }

  /** A line of the visitor's; `=` is an empty one (RFC 4954 §4). */
  answer(line: string): SaslStep {
    if (line === '*') return { wrong: 'cancelled' }
    if (line !== '=' && !BASE64.test(line)) return { wrong: 'not base64' }
    const text = line === '=' ? '' : Buffer.from(line, 'base64').toString('latin1')
    switch (this.#name) {
      case 'plain':
        return plain(text)
      case 'login':
        return this.#login(text)
      case 'cram-md5':
        return this.#digest(text)
      case 'external':
        return credentials('external', text, '')
    }
  }

  #login(text: string): SaslStep {
    if (this.#user !== null) return credentials('plain', this.#user, text)
    this.#user = text
    return { challenge: ASK_PASSWORD }
  }

  /** RFC 2195 §2: name, space, digest. */
  #digest(text: string): SaslStep {
    const [, user, digest] = /^(.+) ([0-9a-f]{32})$/.exec(text) ?? []
    if (user === undefined || digest === undefined) return { wrong: 'no digest' }
    return credentials('cram-md5', user, digest, this.#salt)
  }
}

/** RFC 4616 §2: whom to act as, who it is, password. */
function plain(text: string): SaslStep {
  const [, user, password, ...more] = text.split('\0')
  if (user === undefined || password === undefined || more.length > 0)
    return { wrong: 'no password' }
  return credentials('plain', user, password)
}

/**
 * What is said here comes to a server as part of a line: what could end one, and make what follows a
 * command, is no name and no password.
 */
export function credentials(
  method: AuthMethod,
  user: string,
  password: string,
  salt = '',
): SaslStep {
  if (!isSayable(user) || !isSayable(password)) return { wrong: 'a control character' }
  if (user === '' && method !== 'external') return { wrong: 'no user' }
  return { credentials: { method, user, password, salt } }
}

/** Whether it can stand in a line. */
export function isSayable(text: string): boolean {
  return !/[\x00\r\n]/.test(text)
}
