/** `listen:` → the Plan's listeners. */
import { dirname } from 'node:path'
import { LONGEST_SOCKET_PATH, parseListen } from './address.ts'
import { drawMail } from './draw-mail.ts'
import type { Pools } from './draw-pools.ts'
import { checkOwners, drawStream } from './draw-stream.ts'
import type { Tls } from './draw-tls.ts'
import { absolutePath, type Drawing, stat } from './drawing.ts'
import type { Address, ListenerPlan, ListenScheme } from './plan.ts'
import type { KeyPath } from './problem.ts'
import type { ListenSettings } from './settings/listen.ts'

const BACKLOG = 511

export function drawListeners(drawing: Drawing, pools: Pools, tls: Tls): ListenerPlan[] {
  const { listen } = drawing.settings
  const plans: ListenerPlan[] = []
  const taken = new Map<string, string>()
  const add = (one: ListenSettings, path: KeyPath): void => {
    const plan = drawListener(drawing, one, path, pools, tls)
    if (plan === undefined) return
    const key = identity(plan)
    const first = taken.get(key)
    if (first !== undefined) drawing.report.problem(path, `the same address as ${first}`)
    else if (key !== '') taken.set(key, plan.name)
    plans.push(plan)
  }
  if (Array.isArray(listen)) for (const [i, one] of listen.entries()) add(one, ['listen', i])
  else if (listen !== undefined) add(listen, ['listen'])
  if (plans.length > 0 || drawing.report.isBroken(['listen'])) return plans
  add(defaultAddress(drawing), ['listen'])
  return plans
}

/** As hosting platforms ask for it: the port in PORT, where there is one. */
function defaultAddress({ environment }: Drawing): string {
  const port = environment.PORT ?? ''
  return /^\d+$/.test(port) && Number(port) <= 65_535 ? `:${port}` : ':8080'
}

function drawListener(
  drawing: Drawing,
  one: ListenSettings,
  path: KeyPath,
  pools: Pools,
  tls: Tls,
): ListenerPlan | undefined {
  const name = typeof one === 'object' ? one.on : String(one)
  const backlog = typeof one === 'object' ? one.backlog : BACKLOG
  const here = typeof one === 'object' ? [...path, 'on'] : path
  const parsed = parseListen(name)
  if ('wrong' in parsed) {
    drawing.report.problem(here, parsed.wrong, { expected: parsed.expected })
    return undefined
  }
  const address = resolveSocket(drawing, here, parsed.address)
  if (address.kind === 'unix' && address.path.startsWith('/')) {
    const folder = dirname(address.path)
    if (stat(folder)?.isDirectory() !== true) {
      drawing.report.problem(here, `no such folder: ${folder}`)
    }
  }
  const proxyProtocol = typeof one === 'object' && one['proxy-protocol']
  const settings = typeof one === 'object' ? one : null
  const isTls = speaksTls(parsed.scheme, settings)
  const scheme = isTls && parsed.scheme === 'http' ? 'https' : parsed.scheme
  checkOwners(drawing, path, scheme)
  if (scheme === 'udp') judgeDatagrams(drawing, here, address, proxyProtocol)
  const isMail = scheme === 'imap' || scheme === 'pop3' || scheme === 'smtp'
  const mail = isMail ? drawMail(drawing, settings, path, scheme) : undefined
  if (isMail && mail === undefined) return undefined
  const isStream = scheme === 'tcp' || scheme === 'tls' || scheme === 'udp'
  return {
    name,
    scheme,
    address,
    backlog,
    proxyProtocol,
    ...(settings === null ? {} : socketFile(drawing, settings, path, address)),
    ...(speaksHttp2(drawing, settings, path, scheme) ? {} : { http2: false }),
    ...(mail === undefined ? {} : { mail }),
    ...(isStream ? { stream: drawStream(drawing, settings, path, scheme, pools) } : {}),
    ...(isTls ? { tls: tls.listener(settings, path) } : {}),
  }
}

/** Of what carries no HTTP there is nothing to switch off. */
function speaksHttp2(
  { report }: Drawing,
  settings: Exclude<ListenSettings, string | number> | null,
  path: KeyPath,
  scheme: ListenScheme,
): boolean {
  if (settings === null || settings.http2) return true
  if (scheme === 'http' || scheme === 'https') return false
  report.problem([...path, 'http2'], `${scheme} carries no HTTP/2`, { key: true })
  return true
}

/** Others than https have TLS where they say so. */
function speaksTls(
  scheme: ListenScheme,
  settings: Exclude<ListenSettings, string | number> | null,
): boolean {
  if (scheme === 'https') return true
  return settings !== null && (settings.tls !== undefined || settings.certificate !== '')
}

/** A session of datagrams has no first byte, and its visitor a port. */
function judgeDatagrams(
  { report }: Drawing,
  path: KeyPath,
  address: Address,
  proxyProtocol: boolean,
): void {
  if (address.kind === 'unix') {
    report.problem(path, 'datagrams come to a port', { expected: 'udp://:53' })
  }
  if (proxyProtocol) report.problem(path, 'proxy-protocol goes with connections, not with udp://')
}

/** What only the file of a unix socket has. */
function socketFile(
  drawing: Drawing,
  { mode, owner }: Exclude<ListenSettings, string | number>,
  path: KeyPath,
  address: Address,
): Pick<ListenerPlan, 'mode' | 'owner'> {
  const isFile = address.kind === 'unix' && address.path.startsWith('/')
  for (const [key, value] of Object.entries({ mode, owner })) {
    if (isFile || value === '') continue
    drawing.report.problem([...path, key], 'goes with the path of a unix socket', { key: true })
  }
  return {
    ...(mode === '' ? {} : { mode: Number.parseInt(mode, 8) }),
    ...(owner === '' ? {} : { owner }),
  }
}

/** A socket's path made absolute; too long a one is reported. `@name` has no file. */
export function resolveSocket(drawing: Drawing, path: KeyPath, address: Address): Address {
  if (address.kind !== 'unix') return address
  const socket = address.path.startsWith('@')
    ? address.path
    : absolutePath(drawing, path, address.path)
  checkSocketPath(drawing, path, socket)
  return { kind: 'unix', path: socket }
}

export function checkSocketPath(drawing: Drawing, path: KeyPath, socket: string): void {
  const bytes = Buffer.byteLength(socket)
  if (bytes > LONGEST_SOCKET_PATH) {
    const expected = `at most ${LONGEST_SOCKET_PATH}`
    drawing.report.problem(path, `this path of a socket is ${bytes} bytes long: ${socket}`, {
      expected,
    })
  }
}

/** Two listeners with the same one cannot both be opened; '' for a port that the kernel chooses. */
function identity({ address, scheme }: ListenerPlan): string {
  const datagrams = scheme === 'udp' ? 'udp ' : ''
  if (address.kind === 'unix') return `unix:${address.path}`
  if (address.port === 0) return ''
  // The wildcard of IPv6 takes IPv4 connections too.
  const host = address.host === '0.0.0.0' ? '::' : address.host.toLowerCase()
  return `${datagrams}${host} ${address.port}`
}
