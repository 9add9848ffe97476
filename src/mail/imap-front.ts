/** IMAP until the login (RFC 9051 §6.1, §6.2), as nginx's mail module answers it. Pure. */
import { PorticoError } from '../errors.ts'
import {
  type ImapCommand,
  type ImapPart,
  literalAt,
  parseImapCommand,
  tagOf,
} from '../wire/imap-command.ts'
import { type Front, type FrontOptions, type Step, say, wrong } from './front.ts'
import { credentials, Sasl, type SaslName, type SaslStep } from './sasl.ts'

/** Of a literal: a name or a password. */
const LONGEST_LITERAL = 4_096
const MOST_PARTS = 8
/** CRAM-MD5 is its name everywhere. */
const MECHANISMS: readonly SaslName[] = ['plain', 'login', 'cram-md5', 'external']

export class ImapFront implements Front {
  readonly greeting = '* OK IMAP4 ready\r\n'
  wants = 0
  readonly #options: FrontOptions
  #parts: ImapPart[] = []
  #tag = '*'
  #sasl: Sasl | null = null

  constructor(options: FrontOptions) {
    this.#options = options
  }

  hear(text: string, last: boolean): Step {
    if (this.#sasl !== null) return this.#follow(this.#sasl.answer(text))
    if (this.wants > 0) {
      this.wants = 0
      this.#parts.push({ literal: text })
      return { do: 'say', text: '' }
    }
    const literal = literalAt(text)
    if (literal !== null) return this.#literal(literal)
    const parts = [...this.#parts, { text }]
    this.#parts = []
    this.#tag = tagOf(parts)
    let command: ImapCommand
    try {
      command = parseImapCommand(parts)
    } catch (error) {
      if (!(error instanceof PorticoError)) throw error
      return wrong(`${this.#tag} BAD invalid command`)
    }
    return this.#run(command, last)
  }

  #literal({ text, size, asks }: { text: string; size: number; asks: boolean }): Step {
    this.#parts.push({ text })
    // A literal that does not ask comes whatever we say: nothing behind it could be told apart.
    if (!asks || size > LONGEST_LITERAL || this.#parts.length > MOST_PARTS) {
      return { do: 'bye', text: '* BYE literal is too long, or was not asked for\r\n' }
    }
    // Of no bytes: the line goes on.
    if (size === 0) this.#parts.push({ literal: '' })
    this.wants = size
    return say('+ OK')
  }

  #run({ tag, name, arguments: words }: ImapCommand, last: boolean): Step {
    const { needsTls, offersTls } = this.#options
    switch (name) {
      case 'CAPABILITY':
        return say(`* CAPABILITY ${this.#capabilities()}\r\n${tag} OK completed`)
      case 'NOOP':
        return say(`${tag} OK completed`)
      case 'LOGOUT':
        return { do: 'bye', text: `* BYE\r\n${tag} OK completed\r\n` }
      case 'STARTTLS':
        if (!offersTls || words.length > 0) break
        // What stands behind it would be taken for a command within TLS.
        if (!last) return { do: 'bye', text: '* BYE nothing may follow STARTTLS\r\n' }
        return { do: 'secure', text: `${tag} OK Begin TLS negotiation now\r\n` }
      case 'LOGIN': {
        const [user, password, ...more] = words
        if (user === undefined || password === undefined || more.length > 0) break
        if (needsTls) return wrong(`${tag} NO [PRIVACYREQUIRED] say STARTTLS first`)
        if (!this.#options.methods.includes('plain')) return wrong(`${tag} NO LOGIN is off`)
        return this.#follow(credentials('plain', user, password))
      }
      case 'AUTHENTICATE':
        return this.#authenticate(tag, words)
    }
    return wrong(`${tag} BAD invalid command`)
  }

  #authenticate(tag: string, [name = '', first, ...more]: readonly string[]): Step {
    const mechanism = MECHANISMS.find((each) => each === name.toLowerCase())
    if (mechanism === undefined || more.length > 0 || !this.#options.methods.includes(mechanism)) {
      return wrong(`${tag} NO unsupported authentication mechanism`)
    }
    if (this.#options.needsTls) return wrong(`${tag} NO [PRIVACYREQUIRED] say STARTTLS first`)
    this.#sasl = new Sasl(mechanism, this.#options.salt)
    return this.#follow(first === undefined ? this.#sasl.begin() : this.#sasl.answer(first))
  }

  #follow(step: SaslStep): Step {
    if ('challenge' in step) return say(`+ ${step.challenge}`)
    this.#sasl = null
    if ('wrong' in step) return wrong(`${this.#tag} BAD ${step.wrong}`)
    return { do: 'login', asked: { credentials: step.credentials, tag: this.#tag } }
  }

  #capabilities(): string {
    const { capabilities, methods, offersTls, needsTls } = this.#options
    const ways = needsTls
      ? ['LOGINDISABLED']
      : MECHANISMS.filter((each) => methods.includes(each)).map(
          (each) => `AUTH=${each.toUpperCase()}`,
        )
    return [...capabilities, ...(offersTls ? ['STARTTLS'] : []), ...ways].join(' ')
  }

  refused(message: string): string {
    return `${this.#tag} NO ${message}\r\n`
  }

  broken(): string {
    return '* BAD internal server error\r\n'
  }
}
