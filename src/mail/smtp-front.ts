/** SMTP until the login, or the first recipient (RFC 5321, RFC 4954), as nginx's mail module answers it. Pure. */
import { type Front, type FrontOptions, type Step, say, wrong } from './front.ts'
import { Sasl, type SaslName, type SaslStep } from './sasl.ts'

const MECHANISMS: readonly SaslName[] = ['plain', 'login', 'cram-md5', 'external']
/** RFC 5321 §4.1.2: a domain or an address in brackets; servers are told it as it is. */
const HELO = /^[A-Za-z0-9._:[\]-]{1,255}$/
/** RFC 5321 §4.1.2, with the parameters of extensions; no more than it takes to be one argument. */
const FROM = /^FROM:\s*<[^<>\x00-\x1f\x7f]*>( [!-~]+)*$/i
const TO = /^TO:\s*<[^<>\x00-\x1f\x7f]+>( [!-~]+)*$/i

export class SmtpFront implements Front {
  readonly greeting: string
  readonly wants = 0
  readonly #options: FrontOptions
  #sasl: Sasl | null = null
  #helo = ''
  #esmtp = false
  #from = ''

  constructor(options: FrontOptions) {
    this.#options = options
    this.greeting = `220 ${options.serverName} ESMTP ready\r\n`
  }

  hear(text: string, last: boolean): Step {
    if (this.#sasl !== null) return this.#follow(this.#sasl.answer(text), last)
    const [, word = '', rest = ''] = /^([A-Za-z]{4,8})(?: (.*))?$/s.exec(text) ?? []
    const { offersTls } = this.#options
    switch (word.toUpperCase()) {
      case 'HELO':
      case 'EHLO':
        return this.#hello(word.toUpperCase() === 'EHLO', rest.trim())
      case 'NOOP':
        return say('250 2.0.0 OK')
      case 'RSET':
        this.#from = ''
        return say('250 2.0.0 OK')
      case 'VRFY':
        return say('252 2.1.5 Cannot VRFY user, but will take message')
      case 'QUIT':
        return { do: 'bye', text: '221 2.0.0 Bye\r\n' }
      case 'STARTTLS':
        if (!offersTls) break
        if (rest !== '') return wrong('501 5.5.4 Syntax error (no parameters allowed)')
        // What stands behind it would be taken for a command within TLS (CVE-2011-0411).
        if (!last) return { do: 'bye', text: '554 5.5.1 Nothing may follow STARTTLS\r\n' }
        return { do: 'secure', text: '220 2.0.0 Start TLS\r\n' }
      case 'AUTH':
        return this.#authenticate(rest, last)
      case 'MAIL':
        return this.#mail(rest)
      case 'RCPT':
        return this.#recipient(rest)
    }
    return wrong('500 5.5.1 Invalid command')
  }

  #hello(esmtp: boolean, name: string): Step {
    if (!HELO.test(name)) return wrong('501 5.5.4 Invalid name')
    this.#helo = name
    this.#esmtp = esmtp
    this.#from = ''
    const { serverName } = this.#options
    if (!esmtp) return say(`250 ${serverName}`)
    const lines = [serverName, ...this.#capabilities()]
    return say(
      lines.map((line, i) => `250${i === lines.length - 1 ? ' ' : '-'}${line}`).join('\r\n'),
    )
  }

  #authenticate(rest: string, last: boolean): Step {
    const { methods, salt, needsTls } = this.#options
    if (needsTls) return wrong('530 5.7.0 Must issue a STARTTLS command first')
    if (this.#helo === '') return wrong('503 5.5.1 Say EHLO first')
    const [name = '', first, ...more] = rest.split(' ')
    const mechanism = MECHANISMS.find((each) => each === name.toLowerCase())
    if (mechanism === undefined || more.length > 0 || !methods.includes(mechanism)) {
      return wrong('504 5.5.4 Unsupported authentication mechanism')
    }
    this.#sasl = new Sasl(mechanism, salt)
    return this.#follow(first === undefined ? this.#sasl.begin() : this.#sasl.answer(first), last)
  }

  #follow(step: SaslStep, last: boolean): Step {
    if ('challenge' in step) return say(`334 ${step.challenge}`)
    this.#sasl = null
    if ('wrong' in step) return wrong(`501 5.5.2 ${step.wrong}`)
    // RFC 4954 §4: AUTH is the last of a group. What stands behind would reach the server unasked.
    if (!last) return { do: 'bye', text: '503 5.5.1 Nothing may follow AUTH\r\n' }
    return this.#login({ credentials: step.credentials })
  }

  #login(asked: Pick<Extract<Step, { do: 'login' }>['asked'], 'credentials' | 'envelope'>): Step {
    return { do: 'login', asked: { ...asked, helo: this.#helo, esmtp: this.#esmtp } }
  }

  #mail(rest: string): Step {
    if (!this.#options.methods.includes('none')) return wrong('530 5.7.1 Authentication required')
    if (this.#options.needsTls) return wrong('530 5.7.0 Must issue a STARTTLS command first')
    if (this.#helo === '') return wrong('503 5.5.1 Say EHLO first')
    if (this.#from !== '') return wrong('503 5.5.1 Bad sequence of commands')
    if (!FROM.test(rest)) return wrong('501 5.5.4 Invalid sender')
    this.#from = `MAIL ${rest}`
    return say('250 2.0.0 OK')
  }

  #recipient(rest: string): Step {
    if (this.#from === '') return wrong('503 5.5.1 Bad sequence of commands')
    if (!TO.test(rest)) return wrong('501 5.5.4 Invalid recipient')
    const envelope = { from: this.#from, to: `RCPT ${rest}` }
    const nobody = { method: 'none', user: '', password: '', salt: '' } as const
    return this.#login({ credentials: nobody, envelope })
  }

  #capabilities(): string[] {
    const { capabilities, methods, needsTls, offersTls } = this.#options
    const ways = MECHANISMS.filter((each) => methods.includes(each)).map((each) =>
      each.toUpperCase(),
    )
    return [
      ...capabilities,
      ...(offersTls ? ['STARTTLS'] : []),
      ...(needsTls || ways.length === 0 ? [] : [`AUTH ${ways.join(' ')}`]),
    ]
  }

  refused(message: string, code: string): string {
    return `${code === '' ? '535 5.7.0' : code} ${message}\r\n`
  }

  broken(): string {
    return '451 4.3.2 Internal server error\r\n'
  }
}
