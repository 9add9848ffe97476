/** `pools.NAME.check`, and what a server says of its own, → the Plan's. */
import { resolve } from 'node:path'
import { patternOf } from '../checks/pattern.ts'
import { findTool } from '../system/tools.ts'
import { DnsError, encodeQuestion, RecordTypes } from '../wire/dns.ts'
import type { ProxyVersion } from '../wire/proxy-protocol-writer.ts'
import type { CheckPlan, CheckTlsPlan, HooksPlan, ProbePlan } from './check-plan.ts'
import { absolutePath, type Drawing, existingFile, isExecutable, textAsWritten } from './drawing.ts'
import { nearest } from './nearest.ts'
import type { TargetPlan } from './plan.ts'
import { PLAIN_TLS, type PoolTlsPlan, SERVERS_HOST, VISITORS_HOST } from './pool-tls-plan.ts'
import { type KeyPath, quote } from './problem.ts'
import {
  CHECK_WORDS,
  type CheckForm,
  type CheckKey,
  type CheckKind,
  type CheckSettings,
  checkSettings,
} from './settings/pool-check.ts'
import { namesAt } from './tree.ts'

const KINDS: readonly CheckKind[] = [...CHECK_WORDS, 'script', 'file']

/** Whose they are; what is not here is everybody's. */
const OPTIONS_OF: Readonly<Partial<Record<CheckKey, readonly CheckKind[]>>> = {
  send: ['tcp'],
  expect: ['tcp'],
  method: ['http', 'https'],
  host: ['http', 'https'],
  headers: ['http', 'https'],
  status: ['http', 'https'],
  body: ['http', 'https', 'fastcgi'],
  digest: ['http', 'https'],
  verify: ['http', 'https'],
  type: ['dns'],
  rcode: ['dns'],
  answer: ['dns'],
  role: ['redis'],
  user: ['redis'],
  'password-file': ['redis'],
  dynamic: ['script', 'file'],
  env: ['script'],
}

const NO_HTTP: ReadonlySet<string> = new Set(['uwsgi', 'puwsgi', 'fastcgi', 'scgi', 'udp'])

const LONGEST_USUAL_TIMEOUT_MS = 1_000
const FASTER = 4

/** What is to be done, and where each part of it was written. */
interface Wish {
  readonly settings: CheckSettings
  readonly kind: CheckKind
  readonly pathOf: (key: CheckKey) => KeyPath
  readonly written: ReadonlySet<string>
}

/** How the pool speaks to its servers. */
export interface Ways {
  readonly tls: PoolTlsPlan | undefined
  readonly proxyProtocol: ProxyVersion | undefined
}

/** Of one pool. */
export class Checks {
  readonly #drawing: Drawing
  readonly #pool: string
  readonly #path: KeyPath
  readonly #form: CheckForm
  readonly #wish: Wish | null

  constructor(drawing: Drawing, pool: string, path: KeyPath, form: CheckForm) {
    this.#drawing = drawing
    this.#pool = pool
    this.#path = path
    this.#form = form
    this.#wish = drawWish(drawing, path, form, null)
    if (typeof form === 'object' && this.#wish === null && !drawing.report.isBroken(path)) {
      const known = namesAt(drawing.root, path).some((key) => isKind(key))
      if (!known) {
        drawing.report.problem(path, 'this check does not say what is asked', {
          expected: `one of ${KINDS.join(', ')}`,
          key: true,
        })
      }
    }
  }

  /** Undefined where nothing is to be run. */
  get hooks(): HooksPlan | undefined {
    const form = this.#form
    if (typeof form !== 'object') return undefined
    const up = drawCommand(this.#drawing, [...this.#path, 'on-up'], form['on-up'])
    const down = drawCommand(this.#drawing, [...this.#path, 'on-down'], form['on-down'])
    if (up.length + down.length === 0) return undefined
    return { up, down, folder: absolutePath(this.#drawing, this.#path, '.') }
  }

  /** `form`: what the server says of its own. Undefined where it is not checked. */
  of(
    target: Omit<TargetPlan, 'check'>,
    ways: Ways,
    path: KeyPath,
    form: CheckForm | undefined,
  ): CheckPlan | undefined {
    const drawing = this.#drawing
    const wish = form === undefined ? this.#wish : drawWish(drawing, path, form, this.#wish)
    if (wish === null) {
      if (typeof form === 'object' && isOff(this.#form) && !drawing.report.isBroken(path)) {
        const message = 'the pool has no check that this could change'
        drawing.report.problem(path, message, { expected: 'check: tcp at the pool', key: true })
      }
      return undefined
    }
    return drawCheck(drawing, this.#pool, target, ways, wish)
  }
}

function isKind(key: string): key is CheckKind {
  return (KINDS as readonly string[]).includes(key)
}

function isOff(form: CheckForm): form is false | string {
  return form === false || form === 'off' || form === 'none'
}

/** Null: nothing is asked. `over`: what it changes. */
function drawWish(
  drawing: Drawing,
  path: KeyPath,
  form: CheckForm,
  over: Wish | null,
): Wish | null {
  if (isOff(form)) return null
  if (typeof form === 'string') return short(drawing, path, form, over)
  const written = namesAt(drawing.root, path)
  const asked = written.filter(isKind).filter((kind) => form[kind] !== false)
  if (asked.length > 1) {
    const message = `${asked.map(quote).join(' and ')} exclude each other`
    drawing.report.problem([...path, asked[1]!], message, { key: true })
  }
  const kind = asked[0] ?? over?.kind
  if (kind === undefined) return null
  const own = new Set(written)
  // Another kind of check begins anew, but for when it asks.
  const base: Wish | null = asked.length > 0 && over !== null ? withoutOptions(over) : over
  const changed = Object.fromEntries(written.map((key) => [key, form[key as CheckKey]]))
  const settings = { ...(base?.settings ?? checkSettings()), ...changed } as CheckSettings
  for (const key of written) {
    const owners = OPTIONS_OF[key as CheckKey]
    if (owners === undefined || owners.includes(kind)) continue
    const others = owners.map(quote).join(' or ')
    const message = `${quote(key)} goes with ${others}, not with ${quote(kind)}`
    drawing.report.problem([...path, key], message, { key: true })
  }
  return {
    kind,
    settings,
    pathOf: (key) => (own.has(key) || base === null ? [...path, key] : base.pathOf(key)),
    written: new Set([...own, ...(base?.written ?? [])]),
  }
}

function withoutOptions(wish: Wish): Wish {
  const presets = checkSettings()
  const specific = [...KINDS, ...(Object.keys(OPTIONS_OF) as CheckKey[])]
  const reset = Object.fromEntries(specific.map((key) => [key, presets[key]]))
  const written = new Set([...wish.written].filter((key) => !specific.includes(key as CheckKey)))
  return { ...wish, settings: { ...wish.settings, ...reset }, written }
}

/** `tcp`, `/healthz`. */
function short(drawing: Drawing, path: KeyPath, word: string, over: Wish | null): Wish | null {
  const base = over === null ? null : withoutOptions(over)
  const settings = base?.settings ?? checkSettings()
  const shared = { pathOf: () => path, written: base?.written ?? new Set<string>() }
  if (word.startsWith('/'))
    return { ...shared, kind: 'http', settings: { ...settings, http: word } }
  const kind = CHECK_WORDS.find((each) => each === word)
  if (kind !== undefined) return { ...shared, kind, settings: { ...settings, [kind]: true } }
  const meant = nearest(word, CHECK_WORDS)
  const message =
    word === 'script' || word === 'file'
      ? `${quote(word)} needs to know which one`
      : `no such check: ${quote(word)}`
  const expected = `${CHECK_WORDS.join(', ')}, off, a path such as /healthz, or a mapping`
  const needs = { expected: `{ ${word}: … }` }
  drawing.report.problem(
    path,
    message,
    word === 'script' || word === 'file' ? needs : meant === '' ? { expected } : { nearest: meant },
  )
  return null
}

function drawCheck(
  drawing: Drawing,
  pool: string,
  target: Omit<TargetPlan, 'check'>,
  ways: Ways,
  wish: Wish,
): CheckPlan | undefined {
  const { settings, kind, pathOf } = wish
  const { report } = drawing
  const { port, every, jitter, rise, fall, start } = settings
  let { address } = target
  if (port !== 0) {
    if (address.kind === 'unix') {
      report.problem(pathOf('port'), `${quote(target.name)} is a unix socket, which has no ports`)
    } else address = { ...address, port }
  }
  if (address.kind === 'unix' && (kind === 'dns' || kind === 'ping')) {
    report.problem(pathOf(kind), `${kind} needs a host, and ${quote(target.name)} is a unix socket`)
    return undefined
  }
  if ((kind === 'http' || kind === 'https') && port === 0 && NO_HTTP.has(target.scheme)) {
    const message = `${quote(target.name)} does not speak HTTP`
    const own = target.scheme === 'fastcgi' ? 'fastcgi: /ping' : 'tcp'
    report.problem(pathOf(kind), message, { expected: `${own}, or the port of what does` })
    return undefined
  }
  const probe = drawProbe(drawing, pool, target, ways, wish)
  if (probe === undefined) return undefined
  return {
    name: nameOf(probe),
    address,
    // What stands on a port of its own expects none, as HAProxy has it, too.
    ...(ways.proxyProtocol === undefined || port !== 0
      ? {}
      : { proxyProtocol: ways.proxyProtocol }),
    probe,
    everyMs: every,
    fastMs: settings.fast ?? Math.ceil(every / FASTER),
    downMs: settings['while-down'] ?? every,
    jitter: jitter / 100,
    timeoutMs: settings.timeout ?? Math.min(LONGEST_USUAL_TIMEOUT_MS, every),
    rise,
    fall,
    start,
  }
}

/** For people. */
function nameOf(probe: ProbePlan): string {
  switch (probe.kind) {
    case 'http':
      return `${probe.tls === null ? 'http' : 'https'} ${probe.path}`
    case 'file':
      return `file ${probe.path}`
    case 'fastcgi':
      return `fastcgi ${probe.path}`.trim()
    case 'dns':
      return `dns ${probe.name} ${probe.type}`
    default:
      return probe.kind
  }
}

function drawProbe(
  drawing: Drawing,
  pool: string,
  target: Omit<TargetPlan, 'check'>,
  { tls }: Ways,
  wish: Wish,
): ProbePlan | undefined {
  const { settings, kind, pathOf } = wish
  const pattern = (key: 'expect' | 'body' | 'answer'): string => {
    try {
      patternOf(settings[key])
    } catch (error) {
      drawing.report.problem(pathOf(key), `not a regular expression: ${(error as Error).message}`)
      return ''
    }
    return settings[key]
  }
  switch (kind) {
    case 'tcp':
      return { kind, send: unescaped(settings.send), expect: pattern('expect') }
    case 'http':
    case 'https':
      return {
        kind: 'http',
        version: target.scheme === 'h2' || target.scheme === 'h2c' ? 2 : 1,
        tls: drawTls(kind === 'https' || isSecure(target), tls, wish),
        method: settings.method,
        path: drawPath(drawing, wish, '/'),
        host: settings.host,
        fields: Object.entries(textAsWritten(drawing, pathOf('headers'), settings.headers)).flat(),
        status: settings.status.flatMap(range),
        body: pattern('body'),
        digest: settings.digest.toLowerCase(),
      }
    case 'smtp':
      return { kind, helo: said(settings.smtp, 'localhost') }
    case 'dns':
      return drawDns(drawing, wish, pattern('answer'))
    case 'ping':
    case 'uwsgi':
    case 'amqp':
      return { kind }
    case 'script': {
      const argv = drawCommand(drawing, pathOf('script'), settings.script)
      if (argv.length === 0) return undefined
      const env = textAsWritten(drawing, pathOf('env'), settings.env)
      const names = { PORTICO_POOL: pool, PORTICO_SERVER: target.name, ...env }
      return {
        kind,
        argv,
        folder: absolutePath(drawing, pathOf('script'), '.'),
        dynamic: settings.dynamic,
        env: Object.entries(names).map(([name, value]) => `${name}=${value}`),
      }
    }
    case 'file': {
      const path = said(settings.file, '')
      if (path === '') {
        drawing.report.problem(pathOf('file'), 'which file?', { expected: 'a path' })
        return undefined
      }
      // It may come later: until then the server is down.
      const absolute = absolutePath(drawing, pathOf('file'), path)
      return { kind, path: absolute, dynamic: settings.dynamic }
    }
    case 'fastcgi':
      return { kind, path: drawPath(drawing, wish, ''), body: pattern('body') }
    case 'redis': {
      const file = settings['password-file']
      const passwordFile = file === '' ? '' : existingFile(drawing, pathOf('password-file'), file)
      return { kind, user: settings.user, passwordFile, role: settings.role }
    }
    case 'mysql':
      return { kind, user: said(settings.mysql, 'portico') }
  }
}

function isSecure({ scheme }: Pick<TargetPlan, 'scheme'>): boolean {
  return scheme === 'https' || scheme === 'h2'
}

function said(text: string | boolean | undefined, otherwise: string): string {
  return typeof text === 'string' && text !== '' ? text : otherwise
}

function drawPath(drawing: Drawing, { settings, kind, pathOf }: Wish, otherwise: string): string {
  const path = said(settings[kind as 'http'], otherwise)
  if (path === '' || /^\/[\x21-\x7e]*$/.test(path)) return path
  drawing.report.problem(pathOf(kind), `not a path: ${quote(path)}`, {
    expected: 'a path such as /healthz',
  })
  return otherwise
}

/** `200`, `2xx`, `200-399`: from, to. */
function range(text: string): [number, number] {
  if (/xx$/i.test(text)) return [Number(text[0]) * 100, Number(text[0]) * 100 + 99]
  const [from = '', to = from] = text.split('-')
  return [Number(from), Number(to)]
}

function drawTls(
  speaks: boolean,
  pool: PoolTlsPlan | undefined,
  { settings, written }: Wish,
): CheckTlsPlan | null {
  if (!speaks) return null
  const { verify, serverName } = pool ?? PLAIN_TLS
  const isOwn = serverName === VISITORS_HOST || serverName === SERVERS_HOST
  return {
    verify: written.has('verify') ? settings.verify : verify,
    name: isOwn ? '' : serverName,
  }
}

function drawDns(
  drawing: Drawing,
  { settings, pathOf }: Wish,
  answer: string,
): ProbePlan | undefined {
  const name = said(settings.dns, '.')
  try {
    encodeQuestion(0, name, RecordTypes[settings.type] ?? 0)
  } catch (error) {
    if (!(error instanceof DnsError)) throw error
    drawing.report.problem(pathOf('dns'), error.message, { expected: 'a name such as example.com' })
    return undefined
  }
  return { kind: 'dns', name, type: settings.type, code: settings.rcode, answer }
}

/** Text is for the shell; of a list the first has to be there. Empty: nothing, or what is wrong. */
function drawCommand(
  drawing: Drawing,
  path: KeyPath,
  command: string | readonly string[] | undefined,
): readonly string[] {
  if (command === undefined) return []
  if (typeof command === 'string') return ['/bin/sh', '-c', command]
  const [program = '', ...args] = command
  const file = program.includes('/')
    ? resolve(drawing.report.place(path).source.base, program)
    : findTool(program)
  if (file !== '' && isExecutable(file)) return [file, ...args]
  drawing.report.problem(path, `no such program: ${program}`, {
    expected: 'a file that can be run',
  })
  return []
}

function unescaped(text: string): string {
  const named: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '0': '\0' }
  return text.replace(/\\(?:x([0-9a-fA-F]{2})|(.))/g, (_all, hex?: string, letter = '') =>
    hex === undefined ? (named[letter] ?? letter) : String.fromCharCode(Number.parseInt(hex, 16)),
  )
}
