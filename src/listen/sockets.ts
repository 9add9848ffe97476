/**
 * The listening sockets of a site. They outlive every generation of the server: a reload opens what is
 * new, keeps what stays, and closes what went away only once the switch is certain.
 */
import { closeSync } from 'node:fs'
import type { Address, ListenerPlan } from '../site/plan.ts'
import { listen } from '../system/libc.ts'
import { type ActivatedSocket, isSameAddress } from './activated.ts'
import { resolveHost, showAddress } from './address.ts'
import { growGroup, type OpenSockets, openSockets, removeSocketFile, setFile } from './open.ts'

export { ListenError } from './open.ts'

interface Listener {
  readonly key: string
  readonly open: OpenSockets
}

/** Sockets for a plan that may still be given up. Exactly one of `commit` and `abort` is called. */
export interface PreparedSockets {
  /**
   * By listener, in the plan's order. At least one for each thread, or a single one that all threads
   * share. A group never shrinks while its listener lives (closing a socket resets the connections
   * that wait in it), so there may be more than threads: thread i of T then accepts from i, i+T, ….
   */
  readonly sockets: readonly (readonly number[])[]
  /** Where each listens, with the ports that the kernel chose. */
  readonly addresses: readonly Address[]
  /** Closes the listeners that the plan does not hold any more. */
  commit(): void
  /** Closes the listeners that only this plan holds. */
  abort(): void
}

/** Every socket the supervisor listens on. */
export class ListeningSockets {
  #listeners: readonly Listener[] = []
  /** A service manager's: they stay open, and each serves whichever listener names its address. */
  #activated: readonly ActivatedSocket[]

  constructor(activated: readonly ActivatedSocket[] = []) {
    this.#activated = activated
  }

  /** Opens what `plans` need beyond what is open. Throws a ListenError and leaves all as it was. */
  async prepare(plans: readonly ListenerPlan[], threads: number): Promise<PreparedSockets> {
    const kept = new Map(this.#listeners.map((listener) => [listener.key, listener]))
    const fresh: Listener[] = []
    const wanted: Listener[] = []
    try {
      for (const [key, plan] of keyed(plans)) {
        const known = kept.get(key)
        if (known === undefined) {
          const given = await this.#givenFor(plan, wanted)
          const open = given ?? (await openSockets(plan, threads, this.#holdsPort(plan)))
          const listener = { key, open }
          fresh.push(listener)
          wanted.push(listener)
        } else {
          const isOurs = !this.#isGiven(known.open)
          if (isOurs) growGroup(plan, known.open, threads)
          if (!isDatagram(plan)) for (const fd of known.open.fds) listen(fd, plan.backlog)
          if (isOurs) setFile(plan)
          wanted.push(known)
        }
      }
    } catch (error) {
      for (const listener of fresh) this.#close(listener)
      throw error
    }
    return {
      sockets: wanted.map((listener) => listener.open.fds),
      addresses: wanted.map((listener) => listener.open.address),
      commit: () => {
        for (const listener of this.#listeners)
          if (!wanted.includes(listener)) this.#close(listener)
        this.#listeners = wanted
      },
      abort: () => {
        for (const listener of fresh) this.#close(listener)
      },
    }
  }

  #holdsPort(plan: ListenerPlan): boolean {
    const { address } = plan
    return (
      address.kind === 'tcp' &&
      address.port !== 0 &&
      this.#listeners.some(
        ({ key, open }) =>
          open.address.kind === 'tcp' &&
          open.address.port === address.port &&
          key.startsWith(DATAGRAMS) === isDatagram(plan),
      )
    )
  }

  /** Closes all of them and removes their files. */
  close(): void {
    for (const listener of this.#listeners) this.#close(listener)
    this.#listeners = []
    for (const { fd } of this.#activated) closeSync(fd)
    this.#activated = []
  }

  /** Those that no listener uses, as they are written in a site file. */
  get unused(): readonly string[] {
    const used = new Set(this.#listeners.flatMap(({ open }) => open.fds))
    return this.#activated
      .filter(({ fd }) => !used.has(fd))
      .map(({ address }) => showAddress(address))
  }

  async #givenFor(
    plan: ListenerPlan,
    taken: readonly Listener[],
  ): Promise<OpenSockets | undefined> {
    if (this.#activated.length === 0 || isDatagram(plan)) return undefined
    const { address } = plan
    const numeric =
      address.kind === 'unix' ? address : { ...address, host: await resolveHost(address.host) }
    const given = this.#activated.find(
      (socket) =>
        isSameAddress(socket.address, numeric) &&
        !taken.some(({ open }) => open.fds.includes(socket.fd)),
    )
    return given === undefined ? undefined : { address: given.address, fds: [given.fd], inode: 0 }
  }

  #isGiven({ fds }: OpenSockets): boolean {
    return this.#activated.some(({ fd }) => fd === fds[0])
  }

  #close({ open }: Listener): void {
    if (this.#isGiven(open)) return
    for (const fd of open.fds) closeSync(fd)
    if (open.address.kind === 'unix') removeSocketFile(open.address.path, open.inode)
  }
}

const DATAGRAMS = 'udp '

function isDatagram({ scheme }: ListenerPlan): boolean {
  return scheme === 'udp'
}

/** The same address twice (two listeners on port 0, say) is two listeners. */
function keyed(plans: readonly ListenerPlan[]): [string, ListenerPlan][] {
  const seen = new Map<string, number>()
  return plans.map((plan) => {
    const name = `${isDatagram(plan) ? DATAGRAMS : ''}${showAddress(plan.address)}`
    const count = seen.get(name) ?? 0
    seen.set(name, count + 1)
    return [`${name}#${count}`, plan]
  })
}
