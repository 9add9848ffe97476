/** The site's own front door, for tasks that ask for one of its pages. */
import type { ListenerPlan } from '../site/plan.ts'
import type { Listening } from '../supervisor/urls.ts'
import type { Front } from './actions.ts'

const EVERYWHERE: Readonly<Record<string, string>> = { '::': '::1', '0.0.0.0': '127.0.0.1' }

/** The first listener that speaks plain HTTP to whoever comes; both lists are in the same order. */
export function frontOf(
  listening: readonly Listening[],
  listeners: readonly ListenerPlan[],
): Front | null {
  const found = listening.find(
    ({ scheme }, i) => scheme === 'http' && listeners[i]?.proxyProtocol !== true,
  )
  if (found === undefined) return null
  const { address } = found
  if (address.kind === 'unix') return { socketPath: address.path.replace(/^@/, '\0') }
  // A socket for every address of IPv6 takes IPv4 as well, and is there without IPv6.
  return { host: EVERYWHERE[address.host] ?? address.host, port: address.port }
}
