/** How the bounds of an application can be enforced here: by a control group, else process by process. */
import { readFileSync } from 'node:fs'
import type { AppLimitsPlan } from '../site/plan.ts'
import { showSize } from '../site/units.ts'
import type { Cgroup } from '../system/cgroup.ts'
import { hardFileLimit } from '../system/limits.ts'
import { findTool } from '../system/tools.ts'

/** `group`: of all processes together; `process`: of each; `user`: of all of its user's. */
export type Enforcement = 'group' | 'process' | 'user' | 'none'

export interface LimitsInForce {
  /** Each bound that was asked for, and what keeps it. */
  readonly by: Readonly<Record<string, Enforcement>>
  /** What to put before the command; empty for nothing. */
  readonly before: readonly string[]
  /** What is not as it was asked for, with the remedy. */
  readonly complaints: readonly string[]
}

/** Capability 24 (capability.h): to raise hard limits. */
const CAP_SYS_RESOURCE = 24n

/**
 * Node's V8 reserves so much for code before it runs a line, and counts as using it, bytes. Measured: Node
 * 26 starts with RLIMIT_DATA of 600 MB and not with 400.
 */
export const V8_RESERVES: number = 640 * 1024 ** 2

/**
 * `unprivileged`: it does not run as root, whom RLIMIT_NPROC does not bind. `reserves`: memory that each
 * process takes and does not use, bytes.
 */
export function enforce(
  limits: AppLimitsPlan,
  group: Cgroup | null,
  unprivileged: boolean,
  reserves: number,
): LimitsInForce {
  const prlimit = findTool('prlimit')
  const by: Record<string, Enforcement> = {}
  const switches: string[] = []
  const complaints: string[] = []
  const bound = (name: string, value: number, option: string, as: Enforcement): void => {
    by[name] = prlimit === '' ? 'none' : as
    if (prlimit === '') complaints.push(`limits.${name}: prlimit (util-linux) is missing`)
    else switches.push(`--${option}=${value}`)
  }
  if (limits.memory >= 0) {
    if (group?.controllers.has('memory')) by.memory = 'group'
    else {
      // Not RLIMIT_AS: that counts what is mapped as well, such as files and libraries.
      bound('memory', limits.memory + reserves, 'data', 'process')
      const more = reserves === 0 ? '' : `, beside the ${showSize(reserves)} that V8 reserves,`
      complaints.push(
        `limits.memory: no control group to be had; each process may have ${showSize(limits.memory)} of its own${more} instead (RLIMIT_DATA). ${REMEDY}`,
      )
    }
  }
  if (limits.pids >= 0) {
    if (group?.controllers.has('pids')) by.pids = 'group'
    else if (unprivileged) {
      bound('pids', limits.pids, 'nproc', 'user')
      complaints.push(
        `limits.pids: no control group to be had; all processes of its user count instead (RLIMIT_NPROC). ${REMEDY}`,
      )
    } else {
      by.pids = 'none'
      complaints.push(`limits.pids: no control group to be had, and root has no bound. ${REMEDY}`)
    }
  }
  if (limits.cpu >= 0) {
    by.cpu = group?.controllers.has('cpu') ? 'group' : 'none'
    if (by.cpu === 'none') complaints.push(`limits.cpu: no control group to be had. ${REMEDY}`)
  }
  if (limits.files >= 0) {
    const highest = mayRaise() ? Number.POSITIVE_INFINITY : hardFileLimit()
    if (limits.files > highest) {
      complaints.push(
        `limits.files: ${limits.files} is more than the ${highest} that this process may give; raise it (ulimit -Hn, LimitNOFILE=)`,
      )
    }
    bound('files', Math.min(limits.files, highest), 'nofile', 'process')
  }
  if (limits.core >= 0) bound('core', limits.core, 'core', 'process')
  return {
    by,
    before: switches.length === 0 ? [] : [prlimit, ...switches, '--'],
    complaints,
  }
}

const REMEDY =
  'A service of systemd gets one with Delegate=yes; a container, with a writable /sys/fs/cgroup'

function mayRaise(): boolean {
  try {
    const status = readFileSync('/proc/self/status', 'utf8')
    const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`)
    return ((effective >> CAP_SYS_RESOURCE) & 1n) === 1n
  } catch {
    return false
  }
}
