/**
 * The C library's calls that Node does not offer. Only these few files below `system/` and `listen/`
 * know of them; each call here is one line of its manual page.
 */
import { getSystemErrorName } from 'node:util'
import koffi from 'koffi'

/** The process itself: whatever C library Node was linked with (glibc, musl, libSystem). */
const ownProcess = koffi.load(null)

type Call<Arguments extends readonly unknown[]> = (...args: Arguments) => number

export const socket: Call<[domain: number, type: number, protocol: number]> = ownProcess.func(
  'int socket(int domain, int type, int protocol)',
)
export const bind: Call<[fd: number, address: Uint8Array, length: number]> = ownProcess.func(
  'int bind(int fd, const void *address, uint32_t length)',
)
export const connect: Call<[fd: number, address: Uint8Array, length: number]> = ownProcess.func(
  'int connect(int fd, const void *address, uint32_t length)',
)
export const listen: Call<[fd: number, backlog: number]> = ownProcess.func(
  'int listen(int fd, int backlog)',
)
export const setsockopt: Call<
  [fd: number, level: number, option: number, value: Uint8Array, length: number]
> = ownProcess.func(
  'int setsockopt(int fd, int level, int option, const void *value, uint32_t length)',
)
export const getsockname: Call<[fd: number, address: Uint8Array, length: Uint8Array]> =
  ownProcess.func('int getsockname(int fd, void *address, void *length)')
export const sendto: Call<
  [
    fd: number,
    bytes: Uint8Array,
    size: number,
    flags: number,
    address: Uint8Array,
    addressLength: number,
  ]
> = ownProcess.func(
  'intptr_t sendto(int fd, const void *bytes, size_t size, int flags, const void *address, uint32_t addressLength)',
)
/** Text to address bytes; 1 on success. */
export const inet_pton: Call<[family: number, text: string, into: Uint8Array]> = ownProcess.func(
  'int inet_pton(int family, const char *text, void *into)',
)
export const getrlimit: Call<[resource: number, limit: BigUint64Array]> = ownProcess.func(
  'int getrlimit(int resource, void *limit)',
)
export const setrlimit: Call<[resource: number, limit: BigUint64Array]> = ownProcess.func(
  'int setrlimit(int resource, const void *limit)',
)
export const getgrouplist: Call<
  [user: string, group: number, groups: Int32Array, count: Int32Array]
> = ownProcess.func('int getgrouplist(const char *user, int group, void *groups, void *count)')

/** Without waiting: -1 where another open file has it. */
export const flock: Call<[fd: number, operation: number]> = ownProcess.func(
  'int flock(int fd, int operation)',
)

const fcntlInt: Call<[fd: number, command: number, type: 'int', value: number]> = ownProcess.func(
  'int fcntl(int fd, int command, ...)',
)

const darwin = process.platform === 'darwin'

const F_DUPFD_CLOEXEC = darwin ? 67 : 1030
const F_SETFD = 2
const F_SETFL = 4
const FD_CLOEXEC = 1

interface Constants {
  readonly AF_UNIX: number
  readonly AF_INET: number
  readonly AF_INET6: number
  readonly SOCK_STREAM: number
  readonly SOCK_DGRAM: number
  readonly SOCK_CLOEXEC: number
  readonly SOL_SOCKET: number
  readonly SO_REUSEADDR: number
  readonly SO_REUSEPORT: number
  readonly IPPROTO_IPV6: number
  readonly IPV6_V6ONLY: number
  readonly O_NONBLOCK: number
  readonly RLIMIT_NOFILE: number
  readonly MSG_DONTWAIT: number
}

/** From the kernels' headers, Linux' and macOS'. */
export const constants: Constants = {
  AF_UNIX: 1,
  AF_INET: 2,
  AF_INET6: darwin ? 30 : 10,
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_CLOEXEC: 0o2000000,
  SOL_SOCKET: darwin ? 0xffff : 1,
  SO_REUSEADDR: darwin ? 4 : 2,
  SO_REUSEPORT: darwin ? 0x200 : 15,
  IPPROTO_IPV6: 41,
  IPV6_V6ONLY: darwin ? 27 : 26,
  O_NONBLOCK: darwin ? 4 : 0o4000,
  RLIMIT_NOFILE: darwin ? 8 : 7,
  MSG_DONTWAIT: darwin ? 0x80 : 0x40,
}

/** A C call that failed; `code` is the name of its errno (`EADDRINUSE`). */
export class SystemCallError extends Error {
  readonly code: string
  readonly call: string

  constructor(call: string, errno: number) {
    const code = getSystemErrorName(-errno)
    super(`${call}: ${code}`)
    this.name = 'SystemCallError'
    this.code = code
    this.call = call
  }
}

/** Passes a call's result on, or throws what errno says. */
export function checked(call: string, result: number): number {
  if (result < 0) throw new SystemCallError(call, koffi.errno())
  return result
}

/** A socket that no child inherits by accident and that never blocks its reader. */
export function openSocket(domain: number, type: number): number {
  if (!darwin) {
    const flags = type | constants.SOCK_CLOEXEC | constants.O_NONBLOCK
    return checked('socket', socket(domain, flags, 0))
  }
  const fd = checked('socket', socket(domain, type, 0))
  closeOnExec(fd)
  neverBlocks(fd)
  return fd
}

/** No child inherits `fd`. */
export function closeOnExec(fd: number): void {
  checked('fcntl', fcntlInt(fd, F_SETFD, 'int', FD_CLOEXEC))
}

/** Another descriptor of the same open socket or file, which no child inherits. */
export function duplicate(fd: number): number {
  return checked('fcntl', fcntlInt(fd, F_DUPFD_CLOEXEC, 'int', 0))
}

/** Reading from `fd` and writing to it fails with EAGAIN rather than wait. */
export function neverBlocks(fd: number): void {
  checked('fcntl', fcntlInt(fd, F_SETFL, 'int', constants.O_NONBLOCK))
}

/** Sets an integer socket option. */
export function setOption(fd: number, level: number, option: number, value: number): void {
  checked(
    'setsockopt',
    setsockopt(fd, level, option, new Uint8Array(Int32Array.of(value).buffer), 4),
  )
}
