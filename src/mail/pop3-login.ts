/** Logging in at a POP3 server (RFC 1939 §7). Pure. */
import { failed, type Login, type LoginOptions, type LoginStep, tell } from './login.ts'

export class Pop3Login implements Login {
  readonly #options: LoginOptions
  #state: 'greeting' | 'user' | 'password' = 'greeting'

  constructor(options: LoginOptions) {
    this.#options = options
  }

  hear(line: string): LoginStep {
    const state = this.#state
    if (!/^\+OK\b/.test(line)) return failed(`no to the ${state}`, line)
    switch (state) {
      case 'greeting':
        this.#state = 'user'
        return tell(`USER ${this.#options.user}`)
      case 'user':
        this.#state = 'password'
        return tell(`PASS ${this.#options.password}`)
      case 'password':
        return { do: 'done', text: `${line}\r\n` }
    }
  }
}
