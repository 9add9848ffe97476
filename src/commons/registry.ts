/** The commands by their names. A group is one file below `commands/`. */
import { Failure, type Reply } from '../wire/resp.ts'
import type { Client } from './client.ts'

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

export class Registry {
  readonly #commands = new Map<string, Command>()
  readonly #spellings = new Map<string, Command>()

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
    if (command === undefined) return unknown(args)
    const { arity } = command
    if (arity < 0 ? args.length < -arity : args.length !== arity) {
      return new Failure(
        `ERR wrong number of arguments for '${command.name.toLowerCase()}' command`,
      )
    }
    return command.run(client, args)
  }
}

/** In Redis's words, which clients look for. */
function unknown(args: readonly string[]): Failure {
  const [name = '', ...rest] = args.map((arg) => arg.slice(0, 128))
  const shown = rest.map((arg) => `'${arg}' `).join('')
  return new Failure(
    `ERR unknown command '${name}', with args beginning with: ${shown.slice(0, 128)}`,
  )
}
