/**
 * The warm parent of a Node application. Node cannot fork a loaded process: each worker loads the module
 * anew. The first one is started before any is asked for, and tells whether the module loads at all.
 */
import { Socket } from 'node:net'
import { constants } from 'node:os'
import { LineReader } from '../../supervisor/lines.ts'
import type { FromParent, Role, ToParent } from '../runtime.ts'
import { Child, type Death, openLog } from './child.ts'
import type { FromWorker, WorkerStart } from './orders.ts'

const LONGEST_LINE = 16_777_216
/** Characters of a stack that the supervisor is told. */
const LONGEST_DETAIL = 65_536

class Parent {
  readonly #control: Socket
  #start: WorkerStart | null = null
  #log = ''
  /** The first worker until a slot wants it. */
  #scout: Child | null = null
  #trouble = ''
  #loaded = false
  #quitting = false
  readonly #workers = new Map<number, Child>()
  /** Orders are obeyed one after another: one may be about a process that is just being started. */
  #turn: Promise<void> = Promise.resolve()

  constructor(control: Socket) {
    this.#control = control
    const reader = new LineReader(LONGEST_LINE, (line) => {
      this.#turn = this.#turn.then(() => this.#act(JSON.parse(line)))
    })
    control.on('data', (chunk: Buffer) => reader.feed(chunk))
    // Nothing that was started here may outlive the supervisor.
    control.on('close', () => this.#abandon())
    control.on('error', () => {})
    process.on('SIGTERM', () => this.#quit())
    // Ctrl-C is the supervisor's.
    process.on('SIGINT', () => {})
  }

  #say(message: FromParent): void {
    this.#control.write(`${JSON.stringify(message)}\n`)
  }

  async #act(message: ToParent): Promise<void> {
    switch (message.type) {
      case 'configure': {
        const { app, links, log } = message
        if (app.kind !== 'node') throw new Error('not a Node application')
        this.#start = { app, links }
        this.#log = log
        return void this.#sendScout()
      }
      case 'spawn':
        return this.#spawn(message.slot, message.role)
      case 'retire':
        return this.#workers.get(message.slot)?.tell({ type: 'retire' })
      case 'kill':
        return this.#workers.get(message.slot)?.kill()
      case 'traceback':
        return this.#workers.get(message.slot)?.tell({ type: 'traceback' })
      case 'quit':
        return this.#quit()
    }
  }

  /** One that somebody kills while it loads has proved nothing, once. */
  async #sendScout(again = false): Promise<void> {
    let slot = -1
    const scout = await this.#begin({
      said: (message) => {
        if (message.type === 'failed') this.#trouble = message.detail
        else if (!this.#loaded) {
          this.#loaded = true
          const declares = { jobs: message.jobs }
          this.#say({ type: 'loaded', version: process.versions.node, declares })
        }
      },
      exited: (death) => {
        if (slot < 0) slot = this.#slotOf(scout)
        if (slot >= 0) return this.#exited(slot, scout, death)
        this.#scout = null
        const wasKilled = death.signal === constants.signals.SIGKILL
        if (wasKilled && !this.#loaded && !again && !this.#quitting) {
          return void this.#sendScout(true)
        }
        if (!this.#loaded) this.#say({ type: 'failed', detail: this.#whyNot(death) })
        this.#endWhenOver()
      },
    })
    this.#scout = scout
  }

  #slotOf(child: Child): number {
    for (const [slot, worker] of this.#workers) if (worker === child) return slot
    return -1
  }

  #whyNot({ code, signal }: Death): string {
    if (this.#trouble !== '') return this.#trouble.slice(-LONGEST_DETAIL)
    const how = signal === null ? `exit code ${code}` : `signal ${signal}`
    return `the program ended (${how}) before it could be asked; what it printed is in the log`
  }

  async #begin(events: ConstructorParameters<typeof Child>[2], role?: Role): Promise<Child> {
    const start = role === undefined ? this.#start! : { ...this.#start!, role }
    return new Child(start, await openLog(this.#log), events)
  }

  async #spawn(slot: number, role?: Role): Promise<void> {
    if (this.#quitting) return
    let child: Child | null = null
    if (role === undefined) {
      child = this.#scout
      this.#scout = null
    }
    if (child === null) {
      const events = {
        // Why it could not load is in the log, and its end says the rest.
        said: (message: FromWorker) => {
          if (message.type === 'failed') console.error(message.detail)
        },
        exited: (death: Death) => this.#exited(slot, started, death),
      }
      const started: Child = await this.#begin(events, role)
      child = started
    }
    this.#workers.set(slot, child)
    this.#say({ type: 'spawned', slot, pid: child.pid })
    if (this.#quitting) child.tell({ type: 'retire' })
    else if (role === undefined) child.tell({ type: 'serve', slot })
  }

  #exited(slot: number, child: Child, { code, signal }: Death): void {
    this.#workers.delete(slot)
    this.#say({ type: 'exited', slot, pid: child.pid, code, signal })
    this.#endWhenOver()
  }

  #quit(): void {
    this.#quitting = true
    this.#scout?.kill()
    for (const worker of this.#workers.values()) worker.tell({ type: 'retire' })
    this.#endWhenOver()
  }

  #endWhenOver(): void {
    if (this.#quitting && this.#workers.size === 0 && this.#scout === null) {
      this.#control.end(() => process.exit(0))
    }
  }

  #abandon(): void {
    this.#scout?.kill()
    for (const worker of this.#workers.values()) worker.kill()
    process.exit(0)
  }
}

new Parent(new Socket({ fd: 3, readable: true, writable: true }))
