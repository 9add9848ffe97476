/**
 * Workers of applications with quarters of their own. They come in through a socket that only they reach,
 * so who they are need not be believed; of what they say of sockets and files, nothing is.
 */
import type { Hello, LinkOwner, WorkerLink } from '../transports/worker-link/link.ts'
import type { ServedApp } from './apps.ts'
import { pinSocket } from './pin.ts'
import type { QuartersInServer } from './protocol.ts'

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

/** A worker that listens on a socket of its own, which it might say of another's. */
function pinned(
  link: WorkerLink,
  hello: Hello,
  app: ServedApp,
  { meet, uid }: QuartersInServer,
): LinkOwner | null {
  const socket = pinSocket(hello.http, meet, uid)
  if (socket === null) return null
  const owner = app.hello(link, { ...hello, http: socket.path })
  if (owner === null) {
    socket.close()
    return null
  }
  return {
    hello: () => null,
    served: (...facts) => owner.served(...facts),
    settled: () => owner.settled(),
    file: (...facts) => owner.file(...facts),
    lost(...facts) {
      owner.lost(...facts)
      socket.close()
    },
  }
}
