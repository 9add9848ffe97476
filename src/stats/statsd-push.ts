/**
 * Tells a StatsD server the figures, over UDP: whoever is not there costs nothing and is told nothing. Its
 * name is looked up by the system at each send, so that it may move.
 */
import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { StatsdPlan } from '../site/plan.ts'
import type { SiteStatus } from '../supervisor/status.ts'
import type { Figures } from './outputs.ts'
import { packLines, statsdLines } from './statsd.ts'

export function pushStatsd(plan: StatsdPlan, figures: Figures): { close(): void } {
  const socket = createSocket(isIPv6(plan.host) ? 'udp6' : 'udp4').unref()
  // A port that nobody has, a name that does not exist: the next time it may.
  socket.on('error', () => {})
  let before: SiteStatus | null = null
  let busy = false
  const push = async (): Promise<void> => {
    if (busy) return
    busy = true
    try {
      const now = await figures.status()
      for (const datagram of packLines(statsdLines(now, before, plan))) {
        socket.send(datagram, plan.port, plan.host, () => {})
      }
      before = now
    } catch {
      // No status now; or the socket is closed.
    } finally {
      busy = false
    }
  }
  void push()
  const timer = setInterval(() => void push(), plan.everyMs)
  timer.unref()
  return {
    close() {
      clearInterval(timer)
      socket.close()
    },
  }
}
