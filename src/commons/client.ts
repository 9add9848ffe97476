/** A client as commands see it. */
import type { Protocol, Reply } from '../wire/resp.ts'
import type { Keyspace } from './keyspace.ts'

export interface Client {
  readonly id: number
  /** What it calls itself (CLIENT SETNAME). */
  name: string
  protocol: Protocol
  /** The database that it has selected. */
  space: Keyspace
  /** Whether it is told its commands' replies (CLIENT REPLY). */
  replies: 'on' | 'off' | 'skip-this' | 'skip-next'
  /** Channels that it has subscribed to; null as long as there never was one. */
  channels: Set<string> | null
  /**
   * The command that runs replies later: with what this returns, once. No other command of this client
   * runs meanwhile. `cancel` is called instead when the client leaves.
   */
  wait(cancel: () => void): (reply: Reply) => void
  /** Tells it something that it did not just ask for. */
  push(reply: Reply): void
  /** Called once when it has left. */
  onLeave(then: () => void): void
  /** Closes when all replies have left. */
  close(): void
}
