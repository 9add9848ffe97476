/**
 * The machine answers an ICMP echo. Asked by the system's own ping: it may do so whoever we are (it has the
 * capability for raw sockets as a file), where sockets of ours would need a kernel setting
 * (net.ipv4.ping_group_range) that most systems leave empty, or a privilege that the server gave up.
 */

import type { PingCheckPlan } from '../site/check-plan.ts'
import { findTool } from '../system/tools.ts'
import { type Check, Unwell } from './check.ts'
import { run } from './program.ts'

const REMEDY = 'sysctl net.ipv4.ping_group_range="0 2147483647" lets it'

export function ping(_plan: PingCheckPlan): Check {
  return {
    name: 'ping',
    probe: async ({ address }, signal) => {
      if (address.kind === 'unix') throw new Error('a unix socket has no machine to ping')
      const tool = findTool('ping')
      if (tool === '') throw new Error('there is no ping on this machine (Debian: iputils-ping)')
      const argv = [tool, '-n', '-c', '1', '--', address.host]
      const program = { argv, folder: '/', env: ['LC_ALL=C'] }
      const { code, said } = await run(program, signal)
      if (code === 1) throw new Unwell('does not answer a ping')
      if (/not permitted/.test(said)) throw new Error(`ping may not send: ${REMEDY}`)
      if (code !== 0) throw new Unwell(`ping: ${said.split('\n').at(-1)!.slice(0, 200)}`)
      return undefined
    },
  }
}
