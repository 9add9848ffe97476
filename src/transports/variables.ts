/**
 * A request as CGI variables (RFC 3875 §4.1), for FastCGI, SCGI and uwsgi servers and for CGI programs:
 * a flat list, name and value in turn, latin-1. Pure.
 */
import type { Exchange } from '../request/exchange.ts'
import type { VariablesPlan } from '../site/plan.ts'
import { fieldValue } from '../wire/fields.ts'
import { Memo } from '../wire/memo.ts'
import type { RequestFields } from '../wire/request-fields.ts'
import { protocolOf } from '../wire/request-line.ts'
import { offersUpgrade } from './backend/upgrade.ts'

/**
 * Says of a request what its server is to know: a flat list, name and value in turn, latin-1, each name
 * once. Without CONTENT_LENGTH, which is for who sends the body.
 */
export type Describe = (exchange: Exchange) => readonly string[]

/** Fields that no application may see as variables. */
const HIDDEN: ReadonlySet<string> = new Set([
  // Given as CONTENT_LENGTH, of what was really received.
  'content-length',
  'transfer-encoding',
  // HTTP_PROXY is what many programs take their outgoing proxy from (CVE-2016-5385).
  'proxy',
])

/** Fields that speak of the visitor's connection to us (RFC 9110 §7.6.1), or were meant for us. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'te',
  'trailer',
  'upgrade',
  'expect',
])

/** A visitor cannot have dropped by Connection what says where and how its request came. */
const NEVER_HIDDEN: ReadonlySet<string> = new Set(['host', 'content-type'])

/** Field names, in lower case, to what they are called as variables; '' for those that no application may see. */
const variableNames = new Memo<string>(1000)

function variableName(name: string): string {
  const known = variableNames.get(name)
  if (known !== undefined) return known
  let variable = ''
  // `X_Real_Ip` and `X-Real-Ip` would become the same variable: the first is how headers are forged.
  if (!HIDDEN.has(name) && !name.includes('_')) {
    variable = `HTTP_${name.toUpperCase().replaceAll('-', '_')}`
    if (name === 'content-type') variable = 'CONTENT_TYPE'
  }
  return variableNames.put(name, variable, () => name)
}

/** `CONTENT_TYPE` and the `HTTP_*` variables; `hides` tells which fields, by lower-case name, are left out. */
export function fieldVariables(fields: RequestFields, hides?: (name: string) => boolean): string[] {
  const { names, values } = fields
  const flat: string[] = []
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!
    const variable = variableName(name)
    if (variable === '' || hides?.(name) === true) continue
    // Told as REMOTE_USER; with both, applications that know fields alone would have it twice.
    if (name === 'remote-user' && fields.user !== undefined) continue
    const before = names.indexOf(name)
    // Of those that come several times all are told in the place of the first.
    if (before < i) continue
    const again = names.indexOf(name, i + 1) > 0
    flat.push(variable, again ? fieldValue(fields, name)! : values[i]!)
  }
  if (fields.user !== undefined) {
    flat.push('REMOTE_USER', fields.user, 'AUTH_TYPE', fields.authType ?? 'Basic')
  }
  if (fields.variables !== undefined) flat.push(...fields.variables)
  return flat
}

/** Where a request's path leads: which program answers, and what it is told of the path. */
export interface Script {
  /** SCRIPT_NAME, the part of the path that stands for the program, and the rest, PATH_INFO. */
  readonly name: string
  readonly info: string
  /** SCRIPT_FILENAME, '' for none. */
  readonly file: string
  /** DOCUMENT_ROOT, '' for none: without a slash at its end. */
  readonly root: string
  /** DOCUMENT_URI: the path, with the index that stands for a folder. */
  readonly uri: string
}

/** The program is whatever is mounted at the route: `/blog/` at `/blog`, everything else at the root. */
export function mounted(exchange: Exchange, file: string, root: string): Script {
  const { path } = exchange.line
  const mount = exchange.prefix.endsWith('/') ? exchange.prefix.length - 1 : 0
  return { name: path.slice(0, mount), info: path.slice(mount), file, root, uri: path }
}

/** The first part of a path that is named like a PHP script, as nginx's documented split has it. */
const PHP_SCRIPT = /^(.+?\.php)(\/.*)$/s

/**
 * The program is the file of that path below `root`: `/a/` is `/a/` and `index`, and `/b.php/c` is
 * `/b.php` with PATH_INFO `/c`. No other path is divided: which part of `/a.jpg/b.php` is a file, only
 * the server could see, and would run the picture if it looked.
 */
export function scriptBelow(root: string, index: string, path: string): Script {
  const split = PHP_SCRIPT.exec(path)
  const name = split?.[1] ?? (path.endsWith('/') ? path + index : path)
  const info = split?.[2] ?? ''
  return { name, info, file: root + name, root, uri: name + info }
}

interface KnownFields {
  readonly plain: readonly string[]
  /** With the visitor's wish for another protocol. */
  readonly upgrading: readonly string[]
}

/** Gateways share the parsed fields of equal blocks, so most requests find theirs here. */
const known = new WeakMap<RequestFields, KnownFields>()

function endToEnd(fields: RequestFields, upgrades: boolean): readonly string[] {
  let found = known.get(fields)
  if (found === undefined) {
    const { connection } = fields
    const plain = fieldVariables(
      fields,
      (name) =>
        HOP_BY_HOP.has(name) ||
        // PHP makes a variable of `X.Real.IP` that it already has: HTTP_X_REAL_IP.
        name.includes('.') ||
        (connection.includes(name) && !NEVER_HIDDEN.has(name)),
    )
    const upgrading =
      fields.upgrade === ''
        ? plain
        : [...plain, 'HTTP_CONNECTION', 'Upgrade', 'HTTP_UPGRADE', fields.upgrade]
    found = { plain, upgrading }
    known.set(fields, found)
  }
  return upgrades ? found.upgrading : found.plain
}

/**
 * The variables of a request that `script` answers. `upgrades`: the visitor's wish for another protocol
 * is passed on.
 */
export function variablesOf(exchange: Exchange, script: Script, upgrades = false): string[] {
  const { line, fields, peer } = exchange
  const asked = line.host === '' ? fields.host : line.host
  const name = asked || peer.localAddress || 'localhost'
  const port = peer.localPort === 0 ? 80 : peer.localPort
  const list = [
    'GATEWAY_INTERFACE',
    'CGI/1.1',
    'SERVER_SOFTWARE',
    'Portico',
    'SERVER_PROTOCOL',
    protocolOf(line),
    'REQUEST_METHOD',
    line.method,
    'REQUEST_URI',
    line.origin,
    'REQUEST_SCHEME',
    peer.scheme,
    'SCRIPT_NAME',
    script.name,
    'PATH_INFO',
    script.info,
    'QUERY_STRING',
    line.query,
    'DOCUMENT_URI',
    script.uri,
    'REMOTE_ADDR',
    peer.address,
    'REMOTE_PORT',
    String(peer.port),
    'SERVER_ADDR',
    peer.localAddress,
    'SERVER_NAME',
    name,
    'SERVER_PORT',
    String(port),
  ]
  if (script.root !== '') list.push('DOCUMENT_ROOT', script.root)
  if (script.file !== '') list.push('SCRIPT_FILENAME', script.file)
  if (script.root !== '' && script.info !== '') {
    list.push('PATH_TRANSLATED', script.root + script.info)
  }
  if (peer.scheme === 'https') list.push('HTTPS', 'on')
  for (const each of endToEnd(fields, upgrades)) list.push(each)
  const { trace } = exchange
  if (trace !== null && trace !== undefined) {
    list.push('HTTP_TRACEPARENT', trace.traceparent, 'HTTP_X_REQUEST_ID', trace.id)
  }
  // An absolute target overrides Host (RFC 9112 §3.2.2).
  if (line.host !== '') setVariable(list, 'HTTP_HOST', authority(line.host, line.hostPort))
  return list
}

function authority(host: string, port: number): string {
  return port < 0 ? host : `${host}:${port}`
}

/** Sets a variable in a flat list; it stands there once afterwards. */
export function setVariable(list: string[], name: string, value: string): void {
  for (let at = 0; at < list.length; at += 2) {
    if (list[at] !== name) continue
    list[at + 1] = value
    return
  }
  list.push(name, value)
}

/** CONTENT_LENGTH: '' where the visitor announced no body. */
export function contentLength(fields: RequestFields): string {
  return fields.hasLength ? String(fields.contentLength) : ''
}

/** What servers of a pool are told, as the site file says. `host`: in place of the visitor's; '' for none. */
export function describeBy(plan: VariablesPlan, host: string): Describe {
  const root = bytes(plan.root).replace(/\/+$/, '')
  const index = bytes(plan.index)
  const file = bytes(plan.script)
  const params = Object.entries(plan.params)
    .filter(([name]) => name !== 'CONTENT_LENGTH')
    .map(([name, value]) => [name, bytes(value)] as const)
  const { SCRIPT_NAME, PATH_INFO } = plan.params
  const restOfPath = SCRIPT_NAME !== undefined && PATH_INFO === undefined
  const name = bytes(SCRIPT_NAME ?? '')
  return (exchange) => {
    const { path } = exchange.line
    const script =
      file !== '' || root === '' ? mounted(exchange, file, root) : scriptBelow(root, index, path)
    const list = variablesOf(exchange, script, offersUpgrade(exchange))
    if (host !== '') setVariable(list, 'HTTP_HOST', host)
    for (const [key, value] of params) setVariable(list, key, value)
    // Where the site says which part of the path is the program's name, the rest is the rest.
    if (restOfPath && (file !== '' || root === '')) {
      const holds = path === name || path.startsWith(`${name}/`)
      setVariable(list, 'PATH_INFO', holds ? path.slice(name.length) : path)
    }
    return list
  }
}

/** Text of the site file as the bytes it stands for, one latin-1 character each. */
function bytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}
