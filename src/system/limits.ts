/** How many files and sockets a process may have open. */
import { checked, constants, getrlimit, setrlimit } from './libc.ts'

/** Raises the soft limit to the hard one, for us and all that we start; returns what it is then. */
export function raiseFileLimit(): number {
  const limit = new BigUint64Array(2)
  checked('getrlimit', getrlimit(constants.RLIMIT_NOFILE, limit))
  const [soft = 0n, hard = 0n] = limit
  if (soft < hard) {
    limit[0] = hard
    // Refused on macOS, where "unlimited" is not a value to set: the old limit then stays.
    if (setrlimit(constants.RLIMIT_NOFILE, limit) < 0) return clamp(soft)
  }
  return clamp(hard)
}

/** The most files that we may let a process have open. */
export function hardFileLimit(): number {
  const limit = new BigUint64Array(2)
  checked('getrlimit', getrlimit(constants.RLIMIT_NOFILE, limit))
  return clamp(limit[1] ?? 0n)
}

function clamp(limit: bigint): number {
  return limit > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(limit)
}
