/**
 * Speaking to an SMTP server for a visitor: who we are, who the visitor is (XCLIENT, as Postfix has it:
 * https://www.postfix.org/XCLIENT_README.html), its login or its first recipient. Pure.
 */
import { failed, type Login, type LoginOptions, type LoginStep, tell, WAIT } from './login.ts'

const MOST_LINES = 64

type State = 'greeting' | 'hello' | 'xclient' | 'again' | 'auth' | 'from' | 'to'

export class SmtpLogin implements Login {
  readonly #options: LoginOptions
  #state: State = 'greeting'
  /** Of a reply of several. */
  #lines: string[] = []

  constructor(options: LoginOptions) {
    this.#options = options
  }

  hear(line: string): LoginStep {
    const [, code, sign] = /^(\d{3})([ -]|$)/.exec(line) ?? []
    if (code === undefined) return failed('no reply', line)
    this.#lines.push(line)
    if (this.#lines.length > MOST_LINES) return failed('too long a reply', line)
    if (sign === '-') return WAIT
    const lines = this.#lines
    this.#lines = []
    return this.#reply(code, lines)
  }

  #reply(code: string, lines: readonly string[]): LoginStep {
    const last = lines.at(-1)!
    const { asked, serverName, xclient } = this.#options
    const isGood = code[0] === '2'
    // What a server says of a recipient is the visitor's to hear.
    if (this.#state === 'to') return { do: 'done', text: `${lines.join('\r\n')}\r\n` }
    if (this.#state === 'from' && !isGood) {
      return { do: 'failed', reason: `sender: ${last}`, text: `${lines.join('\r\n')}\r\n` }
    }
    if (!isGood) return failed(`no to the ${this.#state}`, last)
    switch (this.#state) {
      case 'greeting': {
        const extended = xclient || asked.esmtp === true || this.#options.smtpAuth
        this.#state = 'hello'
        return tell(`${extended ? 'EHLO' : 'HELO'} ${serverName}`)
      }
      case 'hello':
        return xclient ? this.#introduce(lines) : this.#login()
      case 'xclient': {
        // The conversation begins anew, as the visitor's.
        const helo = asked.helo ?? ''
        this.#state = 'again'
        return tell(`${asked.esmtp === true ? 'EHLO' : 'HELO'} ${helo === '' ? serverName : helo}`)
      }
      case 'again':
        return this.#login()
      case 'auth':
        return { do: 'done', text: '235 2.0.0 OK\r\n' }
      case 'from':
        this.#state = 'to'
        return tell(asked.envelope!.to)
    }
  }

  #introduce(lines: readonly string[]): LoginStep {
    const offer = lines.find((line) => /^250[ -]XCLIENT /i.test(line))
    // Servers decide by who the visitor is: without it all visitors would be us.
    if (offer === undefined) return failed('no XCLIENT offered to us', lines.at(-1)!)
    const known = offer.slice(4).toUpperCase().split(' ')
    const { address, asked, user, smtpAuth } = this.#options
    const attributes: [string, string][] = [
      ['ADDR', address.includes(':') ? `IPV6:${address}` : address || '[UNAVAILABLE]'],
      ['LOGIN', smtpAuth || asked.envelope !== undefined ? '' : xtext(user)],
      ['NAME', '[UNAVAILABLE]'],
    ]
    const told = attributes.filter(([name, value]) => value !== '' && known.includes(name))
    this.#state = 'xclient'
    return tell(`XCLIENT ${told.map(([name, value]) => `${name}=${value}`).join(' ')}`)
  }

  #login(): LoginStep {
    const { asked, smtpAuth, user, password } = this.#options
    if (asked.envelope !== undefined) {
      this.#state = 'from'
      return tell(asked.envelope.from)
    }
    if (!smtpAuth) return { do: 'done', text: '235 2.0.0 OK\r\n' }
    this.#state = 'auth'
    return tell(`AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`, 'latin1').toString('base64')}`)
  }
}

/** RFC 3461 §4. */
function xtext(text: string): string {
  return text.replace(
    /[^!-*,-<>-~]/g,
    (character) => `+${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}
