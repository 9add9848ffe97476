/** Whether a pool can serve connections, or datagrams, or requests. */
import type { Drawing } from './drawing.ts'
import type { KeyPartPlan, PoolPlan, TargetPlan } from './plan.ts'
import { type KeyPath, quote } from './problem.ts'

/** What connections have of what hashes can be made of. */
const WITHOUT_HTTP: readonly KeyPartPlan['of'][] = ['address', 'network', 'destination']

/** Whether only connections, or only datagrams, can go to it. */
export function isPlain({ scheme }: Pick<TargetPlan, 'scheme'>): boolean {
  return scheme === 'tcp' || scheme === 'udp'
}

/** Reports what a listener at `path` cannot do with the pool. A server without a protocol speaks the listener's. */
export function judgeStreamPool(
  { report }: Drawing,
  path: KeyPath,
  { name, servers, schedule, proxyProtocol, persistence }: PoolPlan,
  speaks: 'tcp' | 'udp',
): void {
  const other = servers.find((server) => server.scheme !== speaks && server.name.includes('://'))
  if (other !== undefined) {
    report.problem(path, `the server ${quote(other.name)} of this pool speaks ${other.scheme}`, {
      expected: `${speaks}://host:port, host:port or a path of a socket`,
    })
  }
  if (speaks === 'udp' && servers.some(({ address }) => address.kind === 'unix')) {
    report.problem(path, `a server of the pool ${quote(name)} is a unix socket`, {
      expected: 'udp://host:port',
    })
  }
  if (speaks === 'udp' && proxyProtocol !== undefined) {
    report.problem(path, `the pool ${quote(name)} has proxy-protocol, which goes with connections`)
  }
  if (persistence !== undefined && persistence.by !== 'source') {
    const message = `the pool ${quote(name)} knows visitors by ${quote(persistence.by)}, which only requests over HTTP have`
    report.problem(path, message, { expected: 'persistence: source' })
  }
  const part = schedule.key.find(({ of }) => !WITHOUT_HTTP.includes(of))
  if (part !== undefined) {
    const message = `the pool ${quote(name)} chooses servers by ${quote(part.of)}, which only requests over HTTP have`
    report.problem(path, message, {
      expected: `schedule: { by: ${schedule.by}, key: address }, or network or destination`,
    })
  }
}
