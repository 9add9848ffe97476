/**
 * What the supervisor is asked to do. Signals, the admin socket and watches only put commands in; the
 * supervisor's one loop takes them out. That it is to stop is known at once, whatever the loop does.
 */
import type { ClosedResult } from './closed.ts'
import type { Meaning } from './guise.ts'
import { Inbox } from './inbox.ts'
import type { OneApp, ReloadResult } from './status.ts'

export interface ReloadCommand {
  readonly type: 'reload'
  readonly why: string
  /** Null: the whole site. */
  readonly only: OneApp | null
  done(result: ReloadResult): void
}

interface MaintainCommand {
  readonly type: 'maintain'
  readonly on: boolean
  readonly host: string
  done(result: ClosedResult): void
}

type Command =
  | ReloadCommand
  | MaintainCommand
  | { readonly type: 'reopen-logs' }
  | { readonly type: 'stop'; readonly why: string }
  | { readonly type: 'rolling'; readonly why: string }
  | { readonly type: 'resize'; readonly by: 1 | -1 }
  | { readonly type: 'tell' }
  | { readonly type: 'refuse'; readonly what: string; readonly sentence: string }

export class Commands {
  readonly #inbox = new Inbox<Command>()
  readonly #stopRequested = new AbortController()
  readonly #hurry = new AbortController()

  /** Aborted by the first request to stop: whatever is being started is given up. */
  get stopRequested(): AbortSignal {
    return this.#stopRequested.signal
  }

  /** Aborted by the second: nothing is waited for any more. */
  get hurry(): AbortSignal {
    return this.#hurry.signal
  }

  /** The oldest; waits for one. */
  next(): Promise<Command> {
    return this.#inbox.next()
  }

  /** Those that wait, in order. */
  takeReloads(): ReloadCommand[] {
    return this.#inbox.takeAll((command) => command.type === 'reload')
  }

  takeMaintains(): MaintainCommand[] {
    return this.#inbox.takeAll((command) => command.type === 'maintain')
  }

  reload(why: string, only: OneApp | null = null): Promise<ReloadResult> {
    return new Promise((done) => this.#inbox.put({ type: 'reload', why, only, done }))
  }

  maintain(on: boolean, host: string): Promise<ClosedResult> {
    return new Promise((done) => this.#inbox.put({ type: 'maintain', on, host, done }))
  }

  stop(why: string): void {
    if (this.#stopRequested.signal.aborted) return this.#hurry.abort(new Error('in a hurry'))
    this.#stopRequested.abort(new Error('stopping'))
    this.#inbox.put({ type: 'stop', why })
  }

  /** What a signal or a letter means. */
  heard({ order, sentence }: Meaning, why: string): void {
    switch (order) {
      case 'reload':
        return void this.reload(why)
      case 'stop':
        return this.stop(why)
      case 'stop-now':
        this.stop(why)
        return this.#hurry.abort(new Error('in a hurry'))
      case 'more':
      case 'fewer':
        return this.#inbox.put({ type: 'resize', by: order === 'more' ? 1 : -1 })
      case 'refuse':
        return this.#inbox.put({ type: 'refuse', what: why, sentence })
      case 'rolling':
        return this.#inbox.put({ type: 'rolling', why })
      default:
        this.#inbox.put({ type: order })
    }
  }
}
