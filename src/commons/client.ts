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
  /** Null as long as there never was one. */
  subscriptions: Subscriptions | null
  /** What MULTI and WATCH have begun. */
  transaction: Transaction | null
  /** EXEC is running its commands: none may wait. */
  atomic: boolean
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

export interface Subscriptions {
  readonly channels: Set<string>
  readonly patterns: Set<string>
}

export interface Transaction {
  /** Between MULTI and EXEC. */
  open: boolean
  readonly commands: (readonly string[])[]
  /** In `commands` and `watched`. */
  bytes: number
  /** A command was refused: EXEC will be, too. */
  spoilt: boolean
  /** WATCH: key and its entry's version, 0 for none. */
  readonly watched: { readonly space: Keyspace; readonly key: string; readonly version: number }[]
}
