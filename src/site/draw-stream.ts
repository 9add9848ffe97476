/** What a tcp, tls or udp listener has of its own → the Plan's. */
import { looksLikeAddress } from './address.ts'
import type { Pools } from './draw-pools.ts'
import type { Drawing } from './drawing.ts'
import { nearest } from './nearest.ts'
import { type KeyPath, quote } from './problem.ts'
import type { ListenSettings } from './settings/listen.ts'
import type { StreamPlan, StreamScheme } from './stream-plan.ts'
import { namesAt } from './tree.ts'

type Settings = Exclude<ListenSettings, string | number>

/** Without HTTP there is no telling for how long silence is no end; as nginx has it, ms. */
const IDLE_MS = 600_000
/** Sessions of datagrams have no end of their own. */
const UDP_IDLE_MS = 60_000

/** Far off, and still a number of milliseconds. */
const NEVER_MS = 2 ** 40

/** Those on which TLS can end. */
const WITH_TLS: readonly string[] = ['http', 'https', 'tcp', 'imap', 'pop3', 'smtp']

/** Keys that only some listeners have. */
const OWNERS: Readonly<Record<string, readonly string[]>> = {
  pool: ['tcp', 'tls', 'udp'],
  names: ['tls'],
  idle: ['tcp', 'tls', 'udp', 'imap', 'pop3', 'smtp'],
  'client-idle': ['tcp', 'tls'],
  'server-idle': ['tcp', 'tls'],
  'half-closed': ['tcp', 'tls'],
  'max-connections': ['tcp', 'tls', 'udp', 'imap', 'pop3', 'smtp'],
  mail: ['imap', 'pop3', 'smtp'],
  requests: ['udp'],
  responses: ['udp'],
  certificate: WITH_TLS,
  key: WITH_TLS,
  tls: WITH_TLS,
}

/** Reports what was written and has no meaning for this kind of listener. */
export function checkOwners(drawing: Drawing, path: KeyPath, scheme: string): void {
  for (const key of namesAt(drawing.root, path)) {
    const owners = Object.hasOwn(OWNERS, key) ? OWNERS[key] : undefined
    if (owners === undefined || owners.includes(scheme)) continue
    if (key === 'tls' || key === 'certificate') {
      const why = scheme === 'udp' ? 'datagrams have no TLS here' : 'tls:// passes TLS on as it is'
      const expected = 'tcp:// with a certificate, which ends TLS here'
      drawing.report.problem([...path, key], why, { key: true, expected })
      continue
    }
    const message = `${quote(key)} goes with ${owners.map((each) => `${each}://`).join(', ')}`
    drawing.report.problem([...path, key], message, { key: true })
  }
}

/** `settings`: null for a listener that is an address alone. */
export function drawStream(
  drawing: Drawing,
  settings: Settings | null,
  path: KeyPath,
  scheme: StreamScheme,
  pools: Pools,
): StreamPlan {
  const speaks = scheme === 'udp' ? 'udp' : 'tcp'
  const idle = orNever(settings?.idle) ?? (scheme === 'udp' ? UDP_IDLE_MS : IDLE_MS)
  const named = Object.entries(settings?.names ?? {})
  if ((settings === null || settings.pool === '') && named.length === 0) {
    drawing.report.problem(path, `a ${scheme}:// listener needs a pool`, {
      expected: `{ on: "${scheme}://:${scheme === 'udp' ? 53 : 3306}", pool: NAME }, or an address in place of the name`,
    })
  }
  const pool = settings?.pool ?? ''
  const names = named.map(([name, value]): [string, string] => [
    name.toLowerCase(),
    poolOf(drawing, [...path, 'names', name], String(value), speaks, pools),
  ])
  return {
    pool: pool === '' ? '' : poolOf(drawing, [...path, 'pool'], pool, speaks, pools),
    names: Object.fromEntries(names),
    clientIdleMs: orNever(settings?.['client-idle']) ?? idle,
    serverIdleMs: orNever(settings?.['server-idle']) ?? idle,
    halfClosedMs: orNever(settings?.['half-closed']) ?? idle,
    maxConnections: settings?.['max-connections'] ?? 0,
    requests: settings?.requests ?? 0,
    responses: settings?.responses ?? -1,
  }
}

/** 0 is never. */
export function orNever(ms: number | undefined): number | undefined {
  return ms === 0 ? NEVER_MS : ms
}

function poolOf(
  drawing: Drawing,
  path: KeyPath,
  text: string,
  speaks: 'tcp' | 'udp',
  pools: Pools,
): string {
  const known = namesAt(drawing.root, ['pools'])
  if (!known.includes(text) && looksLikeAddress(text)) return pools.forStream(text, speaks, path)
  if (known.includes(text)) return pools.useForStream(text, speaks, path)
  const meant = nearest(text, known)
  const hint = meant === '' ? { expected: 'one of `pools`, or an address' } : { nearest: meant }
  drawing.report.problem(path, `no such pool: ${quote(text)}`, hint)
  return ''
}
