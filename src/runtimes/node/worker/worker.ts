/** A worker from its birth to its end. */
import { writeSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { defaultExport } from '../../../fetch/handler.ts'
import { installFetch } from '../../../fetch/install.ts'
import { loadErrorOf } from '../../../fetch/load-error.ts'
import { findWebSocket } from '../../../fetch/websocket.ts'
import { knownJobs } from '../known-jobs.ts'
import type { DeclaredJob, FromWorker, ToMain, WorkerStart } from '../orders.ts'
import { offerPortico } from '../portico-module.ts'
import { FetchWorker } from './fetch-worker.ts'
import { HttpWorker } from './http-worker.ts'
import { divertListen } from './listening.ts'
import { findProgram, type Program } from './program.ts'
import { ServerLink } from './server-link.ts'
import { Thread } from './thread.ts'

const CONTROL = 3
/** What a program that asks for PORT is told where nobody says otherwise; nothing listens there. */
const PORT = '3000'
/** Servers and the warm parent both say when a worker is to go: how long one waits for the other, ms. */
const PATIENCE_MS = 2_000

/** Prepares for the application's module, which Node runs next, and serves it when asked to. */
export function begin(start: WorkerStart): void {
  process.env.PORT ??= PORT
  // Until the module is loaded, orders wait, and it is the module that keeps the process alive.
  const thread = new Thread(null)
  offerPortico()
  installFetch()
  const path = join(dirname(start.links[0]!), `http-${process.pid}.sock`)
  const listening = divertListen(path)
  /** The module cannot be served. */
  const giveUp = (error: unknown): void => {
    tell({ type: 'failed', detail: loadErrorOf(error, start.app.file) })
    process.exit(1)
  }
  process.on('uncaughtException', giveUp)
  const load = async (): Promise<void> => {
    try {
      const exports: object = await import(pathToFileURL(start.app.file).href)
      const program = await findProgram(start.app, exports, listening, path)
      process.off('uncaughtException', giveUp)
      const life = new Life(start, program, exports, path)
      thread.hold()
      tell({ type: 'loaded', jobs: declaredBy(exports) })
      thread.obey((order) => life.act(order))
    } catch (error) {
      giveUp(error)
    }
  }
  // Once Node itself has begun to load it as its program, a second import is the same module.
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      const resolved = next(specifier, context)
      if (context.parentURL === undefined) {
        setImmediate(() => {
          hooks.deregister()
          void load()
        })
      }
      return resolved
    },
  })
}

/** What is wrong with them, whoever is to do them says. */
function declaredBy(exports: object): DeclaredJob[] {
  try {
    return [...knownJobs(exports)].flatMap(([name, { queue, declared }]) =>
      declared ? { name, queue } : [],
    )
  } catch {
    return []
  }
}

function tell(message: FromWorker): void {
  writeSync(CONTROL, `${JSON.stringify(message)}\n`)
}

class Life {
  readonly #start: WorkerStart
  readonly #program: Program
  readonly #exports: object
  readonly #path: string
  #links: readonly ServerLink[] = []
  #user: FetchWorker | HttpWorker | null = null
  #leaving = false
  #ending = false

  constructor(start: WorkerStart, program: Program, exports: object, path: string) {
    this.#start = start
    this.#program = program
    this.#exports = exports
    this.#path = path
    process.on('SIGTERM', () => this.#leave())
  }

  act(order: ToMain): void {
    if (order.type === 'serve') this.#serve(order.slot)
    else if (order.type === 'retire') this.#leave()
  }

  #serve(slot: number): void {
    const { app, links } = this.#start
    const user = this.#makeUser()
    this.#user = user
    const http = this.#program.kind === 'http' ? this.#path : ''
    const hello = Buffer.from(
      JSON.stringify({
        app: app.name,
        slot,
        pid: process.pid,
        capacity: app.concurrency,
        streams: true,
        http,
      }),
    )
    this.#links = links.map((path) => new ServerLink(path, hello, user))
    if (this.#leaving) this.#say()
  }

  #makeUser(): FetchWorker | HttpWorker {
    const program = this.#program
    const quitting = (): void => this.#endWhenLeft()
    if (program.kind === 'http') return new HttpWorker(program.server, quitting)
    const webSocket = findWebSocket(this.#exports, defaultExport(this.#exports))
    return new FetchWorker(program.handler, webSocket, quitting)
  }

  #leave(): void {
    if (this.#leaving) return
    this.#leaving = true
    this.#say()
    this.#endLater()
  }

  #say(): void {
    for (const link of this.#links) link.leave()
    this.#endWhenLeft()
  }

  /** Every server has said that it sends no more: they end, and the warm parent will say the same. */
  #endWhenLeft(): void {
    if (!this.#links.every((link) => link.over)) return
    if (this.#leaving) void this.#end()
    else this.#endLater()
  }

  #endLater(): void {
    setTimeout(() => void this.#end(), PATIENCE_MS).unref()
  }

  async #end(): Promise<void> {
    if (this.#ending) return
    this.#ending = true
    await this.#user?.finished()
    await Promise.all(this.#links.map((link) => link.end()))
    process.exit()
  }
}
