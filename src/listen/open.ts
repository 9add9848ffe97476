/**
 * Opens the sockets of one listener. TCP: a SO_REUSEPORT group of one socket a thread, among which the
 * kernel spreads connections evenly. Unix: one socket that all threads share.
 */
import { chmodSync, chownSync, closeSync, lstatSync, unlinkSync } from 'node:fs'
import type { Address, ListenerPlan } from '../site/plan.ts'
import {
  bind,
  checked,
  connect,
  constants,
  getsockname,
  listen,
  openSocket,
  SystemCallError,
  setOption,
} from '../system/libc.ts'
import { findCredentials } from '../system/users.ts'
import {
  encodeTcp,
  encodeUnix,
  portOf,
  resolveHost,
  type Sockaddr,
  showAddress,
} from './address.ts'
import { portHolder } from './holder.ts'

/** Elsewhere SO_REUSEPORT does not balance: there all threads accept from one socket. */
const GROUPS = process.platform === 'linux'

/** Any local user may connect, as with a TCP port; the folder's own permissions are the gate. */
const PUBLIC_SOCKET_MODE = 0o666

/** A listener that cannot be opened: what is in the way, and the remedy. */
export class ListenError extends Error {
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ListenError'
    this.code = code
  }
}

export interface OpenSockets {
  /** With the port that the kernel chose. */
  readonly address: Address
  /** One for each thread, or a single one for all. */
  readonly fds: number[]
  /** Of a unix socket's file, so that only our own is ever removed. */
  readonly inode: number
}

/**
 * Opens `count` sockets for `listener`. `shared`: another listener of ours holds the same port, so the
 * check that nobody else does is left out.
 */
export async function openSockets(
  listener: ListenerPlan,
  count: number,
  shared: boolean,
): Promise<OpenSockets> {
  const { address } = listener
  try {
    if (address.kind === 'unix') {
      const mode = listener.mode ?? PUBLIC_SOCKET_MODE
      const { fd, inode } = openUnix(address.path, mode, listener.backlog)
      setOwner(listener, address.path)
      return { address, fds: [fd], inode }
    }
    const host = await resolveHost(address.host)
    return openGroup(listener, host, address.port, GROUPS ? count : 1, shared)
  } catch (error) {
    throw await explain(listener, error)
  }
}

/** Permissions and owner of a unix socket's file, as the plan has them now. */
export function setFile(listener: ListenerPlan): void {
  const { address } = listener
  if (address.kind !== 'unix' || address.path.startsWith('@')) return
  setOwner(listener, address.path)
  chmodSync(address.path, listener.mode ?? PUBLIC_SOCKET_MODE)
}

function setOwner({ owner }: ListenerPlan, path: string): void {
  if (owner === undefined) return
  const [user = '', group = ''] = owner.split(':')
  const { uid, gid } = lstatSync(path)
  const found = findCredentials(user === '' ? String(uid) : user, group)
  // -1 would do, were it known to Node: an unnamed group stays as it is.
  chownSync(path, found.uid, group === '' ? gid : found.gid)
}

/** More sockets for a group that is open already. */
export function growGroup(listener: ListenerPlan, open: OpenSockets, count: number): void {
  if (open.address.kind === 'unix' || !GROUPS) return
  while (open.fds.length < count) {
    const target = encodeTcp(open.address.host, open.address.port)
    open.fds.push(openInet(target, listener, true))
  }
}

function openGroup(
  listener: ListenerPlan,
  host: string,
  port: number,
  count: number,
  shared: boolean,
): OpenSockets {
  const fds: number[] = []
  try {
    const { fd, bound } = openFirst(host, port, listener, shared)
    fds.push(fd)
    const name = new Uint8Array(28)
    checked('getsockname', getsockname(fd, name, new Uint8Array(Int32Array.of(28).buffer)))
    const open = {
      address: { kind: 'tcp' as const, host: bound, port: portOf(name) },
      fds,
      inode: 0,
    }
    growGroup(listener, open, count)
    return open
  } catch (error) {
    for (const fd of fds) closeSync(fd)
    throw error
  }
}

/** The first of a group; on a machine without IPv6, `::` becomes `0.0.0.0`. */
function openFirst(
  host: string,
  port: number,
  listener: ListenerPlan,
  shared: boolean,
): { fd: number; bound: string } {
  try {
    return { fd: openInet(encodeTcp(host, port), listener, shared), bound: host }
  } catch (error) {
    if (host !== '::' || !isNoIpv6(error)) throw error
    const bound = '0.0.0.0'
    return { fd: openInet(encodeTcp(bound, port), listener, shared), bound }
  }
}

function isNoIpv6(error: unknown): boolean {
  return (
    error instanceof SystemCallError &&
    (error.code === 'EAFNOSUPPORT' || error.code === 'EADDRNOTAVAIL')
  )
}

/** Of TCP, or of UDP. */
function openInet(target: Sockaddr, { scheme, backlog }: ListenerPlan, inGroup: boolean): number {
  const datagrams = scheme === 'udp'
  const fd = openSocket(target.family, datagrams ? constants.SOCK_DGRAM : constants.SOCK_STREAM)
  try {
    // Two sockets of UDP with it would share a port, and visitors, without being a group.
    if (!datagrams) setOption(fd, constants.SOL_SOCKET, constants.SO_REUSEADDR, 1)
    if (target.family === constants.AF_INET6) {
      setOption(fd, constants.IPPROTO_IPV6, constants.IPV6_V6ONLY, 0)
    }
    // The first socket joins its group only after bind: bound with SO_REUSEPORT, it would quietly
    // share the port of any other program of this user that does the same, and take its visitors.
    if (inGroup) setOption(fd, constants.SOL_SOCKET, constants.SO_REUSEPORT, 1)
    checked('bind', bind(fd, target.bytes, target.bytes.length))
    if (!inGroup && GROUPS) setOption(fd, constants.SOL_SOCKET, constants.SO_REUSEPORT, 1)
    if (!datagrams) checked('listen', listen(fd, backlog))
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** A listening unix socket with exactly `mode` on its file from the first moment on. */
export function openUnix(
  path: string,
  mode: number,
  backlog: number,
): { fd: number; inode: number } {
  const target = encodeUnix(path)
  if (!path.startsWith('@')) removeStale(path)
  const fd = openSocket(target.family, constants.SOCK_STREAM)
  const umask = process.umask(0o777 & ~mode)
  try {
    checked('bind', bind(fd, target.bytes, target.bytes.length))
    checked('listen', listen(fd, backlog))
    return { fd, inode: path.startsWith('@') ? 0 : lstatSync(path).ino }
  } catch (error) {
    closeSync(fd)
    throw error
  } finally {
    process.umask(umask)
  }
}

/** Removes a socket file that nobody listens on; throws EADDRINUSE when somebody does. */
function removeStale(path: string): void {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return
  if (!stats.isSocket()) {
    throw new ListenError('EEXIST', `${path} exists and is not a socket; move it away`)
  }
  if (isListening(path)) throw new ListenError('EADDRINUSE', `another program listens on ${path}`)
  unlinkSync(path)
}

/** Whether a connection to the unix socket at `path` is taken (or would be, were its queue not full). */
export function isListening(path: string): boolean {
  const target = encodeUnix(path)
  const fd = openSocket(target.family, constants.SOCK_STREAM)
  try {
    checked('connect', connect(fd, target.bytes, target.bytes.length))
    return true
  } catch (error) {
    const code = error instanceof SystemCallError ? error.code : ''
    return code !== 'ECONNREFUSED' && code !== 'ENOENT'
  } finally {
    closeSync(fd)
  }
}

/** Removes the file of a unix socket of ours, unless another has taken its place. */
export function removeSocketFile(path: string, inode: number): void {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (stats?.isSocket() && stats.ino === inode) unlinkSync(path)
}

async function explain(listener: ListenerPlan, error: unknown): Promise<ListenError> {
  const where = `cannot listen on ${showAddress(listener.address)}`
  if (error instanceof ListenError) return new ListenError(error.code, `${where}: ${error.message}`)
  const code = codeOf(error)
  const sentence = await reason(code, listener)
  const fallback = error instanceof Error ? error.message : String(error)
  return new ListenError(code, `${where}: ${sentence || fallback}`, { cause: error })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : 'EINVAL'
}

async function reason(code: string, { scheme, address }: ListenerPlan): Promise<string> {
  if (address.kind === 'unix') {
    if (code === 'ENOENT') return 'its folder does not exist; create it first'
    if (code === 'EACCES') return 'permission denied in its folder'
    return ''
  }
  if (code === 'EADDRINUSE') {
    const holder = await portHolder(scheme === 'udp' ? 'udp' : 'tcp', address.port)
    const by = holder === '' ? 'another program' : holder
    return `the port is in use by ${by}; stop it or choose another port with --listen`
  }
  if (code === 'EACCES') {
    return address.port < 1024
      ? 'ports below 1024 need root or the capability CAP_NET_BIND_SERVICE; start as root with `user:` set, or choose a port from 1024 on'
      : 'permission denied'
  }
  if (code === 'EADDRNOTAVAIL') return `this machine has no address ${address.host}`
  if (code === 'EAFNOSUPPORT') return 'this machine has no IPv6'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `no such host: ${address.host}`
  return ''
}
