/** The commands by their names. A group is one file below `commands/`. */
import { Failure, type Reply, Status } from '../wire/resp.ts'
import { ARGUMENT_COST, type CommandLimits } from '../wire/resp-command.ts'
import type { Client, Subscriptions, Transaction } from './client.ts'

/** The reply comes later, through what `Client.wait` returned. */
export const LATER: unique symbol = Symbol('later')

export interface Command {
  /** In capitals. */
  readonly name: string
  /** Arguments with the name; negative: at least so many. */
  readonly arity: number
  /** `args` are bytes as latin-1, the name first; at least as many as `arity` says. */
  readonly run: (client: Client, args: readonly string[]) => Reply | typeof LATER
}

/** Cheaper than upper-casing each name: programs write theirs in one way, or in a few. */
const MOST_SPELLINGS = 4096

const MOST_IN_TRANSACTION = 65_536
/** Not queued by MULTI. */
const AT_ONCE: ReadonlySet<string> = new Set(['MULTI', 'EXEC', 'DISCARD', 'WATCH', 'QUIT'])
/** What a subscribed client may say in RESP2, where what it is told would look like a reply. */
const FOR_LISTENERS: ReadonlySet<string> = new Set([
  'SUBSCRIBE',
  'UNSUBSCRIBE',
  'PSUBSCRIBE',
  'PUNSUBSCRIBE',
  'PING',
  'QUIT',
])
const QUEUED = new Status('QUEUED')

export class Registry {
  readonly limits: CommandLimits
  readonly #commands = new Map<string, Command>()
  readonly #spellings = new Map<string, Command>()

  constructor(limits: CommandLimits) {
    this.limits = limits
  }

  add(commands: readonly Command[]): void {
    for (const command of commands) {
      if (this.#commands.has(command.name)) throw new Error(`two commands ${command.name}`)
      this.#commands.set(command.name, command)
    }
  }

  find(name: string): Command | undefined {
    const known = this.#spellings.get(name)
    if (known !== undefined) return known
    const command = this.#commands.get(name.toUpperCase())
    if (command !== undefined && this.#spellings.size < MOST_SPELLINGS) {
      this.#spellings.set(name, command)
    }
    return command
  }

  all(): IterableIterator<Command> {
    return this.#commands.values()
  }

  run(client: Client, args: readonly string[]): Reply | typeof LATER {
    const command = this.find(args[0]!)
    const { transaction, subscriptions } = client
    const refusal = command === undefined ? unknown(args) : wrongNumber(command, args)
    if (command === undefined || refusal !== null) {
      if (transaction?.open === true) transaction.spoilt = true
      return refusal
    }
    if (transaction?.open === true && !AT_ONCE.has(command.name)) {
      return queue(transaction, args, this.limits)
    }
    if (subscriptions !== null && client.protocol === 2 && isListening(subscriptions)) {
      if (!FOR_LISTENERS.has(command.name)) {
        return new Failure(
          `ERR Can't execute '${args[0]!.toLowerCase()}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
        )
      }
    }
    return command.run(client, args)
  }
}

function isListening({ channels, patterns }: Subscriptions): boolean {
  return channels.size + patterns.size > 0
}

function wrongNumber({ name, arity }: Command, args: readonly string[]): Failure | null {
  if (arity < 0 ? args.length >= -arity : args.length === arity) return null
  return new Failure(`ERR wrong number of arguments for '${name.toLowerCase()}' command`)
}

function queue(transaction: Transaction, args: readonly string[], limits: CommandLimits): Reply {
  transaction.bytes += args.reduce((sum, arg) => sum + arg.length + ARGUMENT_COST, 0)
  if (transaction.bytes > limits.whole || transaction.commands.length === MOST_IN_TRANSACTION) {
    transaction.spoilt = true
    return new Failure('ERR too large a transaction')
  }
  transaction.commands.push(args)
  return QUEUED
}

const LONGEST_SHOWN = 128

/** In Redis's words, which clients look for. */
function unknown(args: readonly string[]): Failure {
  let shown = ''
  for (let i = 1; i < args.length && shown.length < LONGEST_SHOWN; i++) {
    shown += `'${args[i]!.slice(0, LONGEST_SHOWN - shown.length)}' `
  }
  const name = args[0]!.slice(0, LONGEST_SHOWN)
  return new Failure(`ERR unknown command '${name}', with args beginning with: ${shown}`)
}
