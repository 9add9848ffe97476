/** POP3 until the login (RFC 1939, RFC 2449, RFC 5034), as nginx's mail module answers it. Pure. */
import { type Front, type FrontOptions, type Step, say, wrong } from './front.ts'
import { credentials, Sasl, type SaslName, type SaslStep } from './sasl.ts'

const MECHANISMS: readonly SaslName[] = ['plain', 'login', 'cram-md5', 'external']
const INVALID = '-ERR invalid command'

export class Pop3Front implements Front {
  readonly greeting: string
  readonly wants = 0
  readonly #options: FrontOptions
  #user: string | null = null
  #sasl: Sasl | null = null

  constructor(options: FrontOptions) {
    this.#options = options
    const digests = options.methods.includes('apop')
    this.greeting = digests ? `+OK ${options.salt}\r\n` : '+OK POP3 ready\r\n'
  }

  hear(text: string, last: boolean): Step {
    if (this.#sasl !== null) return this.#follow(this.#sasl.answer(text))
    const [, word = '', rest] = /^([A-Za-z]{3,4})(?: (.*))?$/s.exec(text) ?? []
    const name = word.toUpperCase()
    const { methods, needsTls, offersTls } = this.#options
    const logsIn = ['USER', 'PASS', 'APOP', 'AUTH'].includes(name)
    if (needsTls && logsIn && !(name === 'AUTH' && rest === undefined)) {
      return wrong('-ERR [AUTH] say STLS first')
    }
    switch (name) {
      case 'QUIT':
        return { do: 'bye', text: '+OK\r\n' }
      case 'NOOP':
        return say('+OK')
      case 'CAPA':
        return say(['+OK Capability list follows', ...this.#capabilities(), '.'].join('\r\n'))
      case 'STLS':
        if (!offersTls || rest !== undefined) break
        // What stands behind it would be taken for a command within TLS.
        if (!last) return { do: 'bye', text: '-ERR nothing may follow STLS\r\n' }
        return { do: 'secure', text: '+OK\r\n' }
      case 'USER':
        if (rest === undefined || rest === '' || !methods.includes('plain')) break
        this.#user = rest
        return say('+OK')
      case 'PASS': {
        const user = this.#user
        this.#user = null
        // A password may hold spaces.
        if (user === null || rest === undefined) break
        return this.#follow(credentials('plain', user, rest))
      }
      case 'APOP': {
        const [, user, digest] = /^(\S+) ([0-9a-f]{32})$/.exec(rest ?? '') ?? []
        if (user === undefined || digest === undefined || !methods.includes('apop')) break
        return this.#follow(credentials('apop', user, digest, this.#options.salt))
      }
      case 'AUTH':
        return this.#authenticate(rest)
    }
    return wrong(INVALID)
  }

  #authenticate(rest: string | undefined): Step {
    const { methods, salt } = this.#options
    if (rest === undefined)
      return say(['+OK methods supported:', ...this.#mechanisms(), '.'].join('\r\n'))
    const [name = '', first, ...more] = rest.split(' ')
    const mechanism = MECHANISMS.find((each) => each === name.toLowerCase())
    if (mechanism === undefined || more.length > 0 || !methods.includes(mechanism)) {
      return wrong('-ERR unsupported authentication mechanism')
    }
    this.#sasl = new Sasl(mechanism, salt)
    return this.#follow(first === undefined ? this.#sasl.begin() : this.#sasl.answer(first))
  }

  #follow(step: SaslStep): Step {
    if ('challenge' in step) return say(`+ ${step.challenge}`)
    this.#sasl = null
    if ('wrong' in step) return wrong(`-ERR ${step.wrong}`)
    return { do: 'login', asked: { credentials: step.credentials } }
  }

  #mechanisms(): string[] {
    const { methods } = this.#options
    return MECHANISMS.filter((each) => methods.includes(each)).map((each) => each.toUpperCase())
  }

  #capabilities(): string[] {
    const { capabilities, methods, needsTls, offersTls } = this.#options
    const mechanisms = this.#mechanisms()
    return [
      ...capabilities,
      ...(offersTls ? ['STLS'] : []),
      ...(needsTls || !methods.includes('plain') ? [] : ['USER']),
      ...(needsTls || mechanisms.length === 0 ? [] : [`SASL ${mechanisms.join(' ')}`]),
    ]
  }

  refused(message: string): string {
    return `-ERR ${message}\r\n`
  }

  broken(): string {
    return '-ERR internal server error\r\n'
  }
}
