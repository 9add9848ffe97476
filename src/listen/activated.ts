/**
 * Listening sockets that a service manager opened and handed to us, see sd_listen_fds(3): nobody who
 * connects while we restart is refused, and no right to open low ports is needed.
 */
import type { Address } from '../site/plan.ts'
import { checked, closeOnExec, getsockname } from '../system/libc.ts'
import { decodeAddress } from './address.ts'

/** SD_LISTEN_FDS_START */
const FIRST = 3
const MOST = 1024
/** `sockaddr_un` is the longest. */
const LONGEST_ADDRESS = 110

export interface ActivatedSocket {
  readonly fd: number
  readonly address: Address
}

/** Takes what is meant for process `pid` out of `environment`: no child must think that it is its own. */
export function activatedSockets(environment: NodeJS.ProcessEnv, pid: number): ActivatedSocket[] {
  const count = environment.LISTEN_PID === String(pid) ? Number(environment.LISTEN_FDS) : 0
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete environment[name]
  if (!Number.isInteger(count) || count < 1 || count > MOST) return []
  return Array.from({ length: count }, (_, i) => describe(FIRST + i))
}

function describe(fd: number): ActivatedSocket {
  closeOnExec(fd)
  const bytes = new Uint8Array(LONGEST_ADDRESS)
  const length = Int32Array.of(bytes.length)
  checked('getsockname', getsockname(fd, bytes, new Uint8Array(length.buffer)))
  return { fd, address: decodeAddress(bytes.subarray(0, length[0])) }
}

/** Whether a socket bound to `own` is what a listener on `wanted`, a numeric address, asks for. */
export function isSameAddress(own: Address, wanted: Address): boolean {
  if (own.kind === 'unix' || wanted.kind === 'unix') {
    return own.kind === 'unix' && wanted.kind === 'unix' && own.path === wanted.path
  }
  // Where no address was named, a socket for IPv4 alone will do.
  const anywhere = wanted.host === '::' && own.host === '0.0.0.0'
  return own.port === wanted.port && (own.host === wanted.host || anywhere)
}
