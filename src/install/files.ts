/** Every file that makes a site a service of this machine, and where it belongs. */
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { siteStem } from '../site/admin-path.ts'
import type { Address, SitePlan } from '../site/plan.ts'
import { logrotate } from './logrotate.ts'
import { serviceUnit, socketUnit, type UnitFacts } from './unit.ts'

export interface InstalledFile {
  readonly path: string
  readonly content: string
}

export interface Choices {
  readonly name: string
  readonly scope: 'system' | 'user'
  /** Open the ports by a socket unit. */
  readonly sockets: boolean
  /** Who a site runs as that does not say it; '' for none. */
  readonly user: string
  readonly program: UnitFacts['program']
  /** As for `serve`; a path is absolute. */
  readonly target: string
  readonly folder: string
  /** What the admin socket's name is made from. */
  readonly identity: string
}

export function installedFiles(plan: SitePlan, choices: Choices): InstalledFile[] {
  const { name, scope } = choices
  const facts = unitFacts(plan, choices)
  const units =
    scope === 'system' ? '/etc/systemd/system' : join(homedir(), '.config', 'systemd', 'user')
  const files = [{ path: join(units, `portico-${name}.service`), content: serviceUnit(facts) }]
  if (facts.sockets.length > 0) {
    files.push({ path: join(units, `portico-${name}.socket`), content: socketUnit(facts) })
  }
  const { access } = plan.log
  if (isAbsolute(access) && scope === 'system' && isPlainPath(access)) {
    const content = logrotate(access, { unit: `portico-${name}.service`, user: facts.user })
    files.push({ path: `/etc/logrotate.d/portico-${name}`, content })
  }
  return files
}

function unitFacts(plan: SitePlan, choices: Choices): UnitFacts {
  const { name, scope, program, target, folder, identity } = choices
  const apps = Object.values(plan.apps)
  const places = [folder, ...apps.map(({ dir }) => dir), ...unixPaths(plan)]
  const startsAsRoot = scope === 'system' && (plan.user !== '' || apps.some(hasOwnUser))
  // Sockets for datagrams we open ourselves, in any case.
  const given = choices.sockets ? plan.listeners.filter(({ scheme }) => scheme !== 'udp') : []
  const ports = plan.listeners
    .filter((listener) => !given.includes(listener))
    .map(({ address }) => (address.kind === 'tcp' ? address.port : 65_535))
  return {
    name,
    description: `Portico serves ${target}`,
    program,
    target,
    folder,
    scope,
    user: startsAsRoot || scope === 'user' ? '' : choices.user,
    group: startsAsRoot ? '' : plan.group,
    directory: `portico/${siteStem(identity)}`,
    sockets: given.map(({ address }) => listenStream(address)),
    lowPort: ports.some((port) => port > 0 && port < 1024),
    inHome: places.some((path) => /^\/(home|root|run\/user)(\/|$)/.test(path)),
    inTmp: places.some((path) => /^(\/var)?\/tmp(\/|$)/.test(path)),
    sandboxes: apps.some(isSandboxed),
    startTimeoutMs: Math.max(30_000, ...apps.map(({ startTimeoutMs }) => startTimeoutMs)),
    stopTimeoutMs: plan.timeouts.stopMs,
  }
}

function unixPaths({ listeners }: SitePlan): string[] {
  return listeners.flatMap(({ address }) =>
    address.kind === 'unix' ? [dirname(address.path)] : [],
  )
}

function listenStream(address: Address): string {
  if (address.kind === 'unix') return address.path
  const { host, port } = address
  // Both families, as we mean it.
  if (host === '::') return `${port}`
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** What else logrotate would read as more than a name: such a file is left to its owner to rotate. */
function isPlainPath(path: string): boolean {
  return !/[\p{Cc}"\\*?[{]/u.test(path)
}

function hasOwnUser(app: SitePlan['apps'][string]): boolean {
  return app.isolation !== undefined && app.isolation.user !== ''
}

function isSandboxed(app: SitePlan['apps'][string]): boolean {
  return app.isolation !== undefined && app.isolation.sandbox !== 'none'
}
