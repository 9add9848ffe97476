/** Logging in at an IMAP server, in literals: they may hold anything (RFC 9051 §6.2.3). Pure. */
import { failed, type Login, type LoginOptions, type LoginStep, tell, WAIT } from './login.ts'

/** Untagged lines before the answer; capabilities are one. */
const MOST_UNTAGGED = 32

export class ImapLogin implements Login {
  readonly #options: LoginOptions
  #state: 'greeting' | 'user' | 'password' | 'answer' = 'greeting'
  /** For the visitor, before the answer. */
  #untagged: string[] = []

  constructor(options: LoginOptions) {
    this.#options = options
  }

  hear(line: string): LoginStep {
    const { user, password, asked } = this.#options
    const tag = asked.tag ?? 'a'
    switch (this.#state) {
      case 'greeting':
        if (!/^\* OK\b/i.test(line)) return failed('no greeting', line)
        this.#state = 'user'
        return tell(`${tag} LOGIN {${user.length}}`)
      case 'user':
        if (line.startsWith('* ')) return WAIT
        if (!line.startsWith('+')) return failed('no to a login', line)
        this.#state = 'password'
        return tell(`${user} {${password.length}}`)
      case 'password':
        if (line.startsWith('* ')) return WAIT
        if (!line.startsWith('+')) return failed('no to a user', line)
        this.#state = 'answer'
        return tell(password)
      case 'answer':
        if (line.startsWith('* ')) {
          this.#untagged.push(line)
          return this.#untagged.length > MOST_UNTAGGED ? failed('no answer', line) : WAIT
        }
        if (!line.startsWith(`${tag} OK`)) return failed('no to a password', line)
        return { do: 'done', text: [...this.#untagged, line, ''].join('\r\n') }
    }
  }
}
