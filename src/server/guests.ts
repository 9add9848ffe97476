/**
 * Workers of applications with quarters of their own. They come in through a socket that only they reach,
 * so who they are need not be believed; of what they say of sockets and files, nothing is.
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Hello, LinkOwner, WorkerLink } from '../transports/worker-link/link.ts'
import type { ServedApp } from './apps.ts'
import type { QuartersInServer } from './protocol.ts'

/** Opens a name in the file system, whatever it stands for, without using it (open(2)). */
const O_PATH = 0o10000000

/** Of connections through the socket of this application that have not said which worker they are. */
export function guests(app: () => ServedApp, name: string, quarters: QuartersInServer): LinkOwner {
  return {
    hello(link, hello) {
      if (hello.app !== name) return null
      return hello.http === '' ? app().hello(link, hello) : pinned(link, hello, app(), quarters)
    },
    served: () => {},
    settled: () => {},
    file: () => {},
    lost: () => {},
  }
}

/**
 * A worker that listens on a socket of its own. It could name another's, or later put a link to that in
 * its place: so the socket itself is held on to, and reached by our descriptor.
 */
function pinned(
  link: WorkerLink,
  hello: Hello,
  app: ServedApp,
  quarters: QuartersInServer,
): LinkOwner | null {
  const fd = pin(hello.http, quarters)
  if (fd < 0) return null
  const owner = app.hello(link, { ...hello, http: `/proc/self/fd/${fd}` })
  if (owner === null) {
    closeSync(fd)
    return null
  }
  return {
    hello: () => null,
    served: (...facts) => owner.served(...facts),
    settled: () => owner.settled(),
    file: (...facts) => owner.file(...facts),
    lost(...facts) {
      owner.lost(...facts)
      closeSync(fd)
    },
  }
}

/** -1 for what is no socket of this application's user in its folder. */
export function pin(path: string, { meet, uid }: QuartersInServer): number {
  if (dirname(path) !== meet) return -1
  let fd = -1
  try {
    fd = openSync(path, O_PATH | constants.O_NOFOLLOW)
    const stats = fstatSync(fd)
    if (stats.isSocket() && stats.uid === uid) return fd
  } catch {
    // There is none.
  }
  if (fd >= 0) closeSync(fd)
  return -1
}
