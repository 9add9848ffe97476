/** The supervisor's side, for tests: starts a real warm parent, talks to it, collects its logs. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { python } from '../../../src/runtimes/python/runtime.ts'
import type { FromParent, Runtime, ToParent } from '../../../src/runtimes/runtime.ts'
import type { AppPlan, PythonAppPlan } from '../../../src/site/plan.ts'
import { LinkServer, type WorkerLink } from './link.ts'

/** Debian's own: it has Flask, Django, Falcon, Bottle and Pyramid. */
export const debianPython = '/usr/bin/python3'

export const appsFolder: string = fileURLToPath(new URL('../../apps', import.meta.url))

/** Every way in which a worker runs WSGI. `many`: the requests it has in hand at a time. */
export const ways: readonly {
  readonly name: string
  readonly many: number
  readonly how: Partial<PythonAppPlan>
}[] = [
  { name: '1 thread', many: 1, how: {} },
  { name: '4 threads', many: 4, how: { threads: 4 } },
  { name: 'gevent', many: 4, how: { mode: 'gevent', concurrency: 4 } },
  { name: 'eventlet', many: 4, how: { mode: 'eventlet', concurrency: 4 } },
]

export function plan(some: Partial<PythonAppPlan> = {}): PythonAppPlan {
  return {
    kind: 'python',
    name: 'app',
    module: 'hello',
    callable: 'application',
    dir: appsFolder,
    python: debianPython,
    venv: '',
    env: {},
    workers: 1,
    threads: 1,
    mode: 'auto',
    concurrency: 1000,
    lifespan: 'auto',
    mules: [],
    deadlineMs: 0,
    softDeadlineMs: 0,
    queueDeadlineMs: 0,
    startTimeoutMs: 10_000,
    queue: 100,
    ...some,
  }
}

export interface SupervisorOptions {
  /** Server threads. */
  readonly links?: number
}

export class Supervisor {
  readonly folder: string
  readonly links: readonly LinkServer[]
  readonly app: AppPlan
  readonly parent: ChildProcess
  readonly exit: Promise<{ code: number | null; signal: string | null }>
  readonly messages: FromParent[] = []
  /** What workers wrote to their log, with the introduction's line. */
  log = ''
  /** What the parent itself wrote. */
  stderr = ''
  readonly #control: Duplex
  readonly #logs: Server
  readonly #logSockets = new Set<Socket>()
  #watchers: (() => void)[] = []

  private constructor(
    app: AppPlan,
    runtime: Runtime,
    links: readonly LinkServer[],
    folder: string,
    logs: Server,
  ) {
    this.app = app
    this.links = links
    this.folder = folder
    this.#logs = logs
    logs.on('connection', (socket) => {
      this.#logSockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('data', (chunk) => {
        this.log += chunk.toString()
        this.#changed()
      })
    })
    const command = runtime.command(app)
    this.parent = spawn(command.file, command.args, {
      cwd: command.cwd,
      env: command.env,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    })
    this.exit = new Promise((resolve) => {
      this.parent.on('exit', (code, signal) => {
        resolve({ code, signal })
        this.#changed()
      })
    })
    for (const stream of [this.parent.stdout, this.parent.stderr]) {
      stream!.on('data', (chunk: Buffer) => {
        this.stderr += chunk.toString()
        this.#changed()
      })
    }
    this.#control = this.parent.stdio[3] as Duplex
    let rest = ''
    this.#control.on('error', () => undefined)
    this.#control.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n')
      rest = lines.pop()!
      for (const line of lines) this.messages.push(JSON.parse(line) as FromParent)
      this.#changed()
    })
  }

  /** Starts the warm parent of `some`, and as many server threads. */
  static start(
    some: Partial<PythonAppPlan> = {},
    options: SupervisorOptions = {},
  ): Promise<Supervisor> {
    return Supervisor.launch(plan(some), python, options)
  }

  /** The same for an application of any kind. */
  static async launch(
    app: AppPlan,
    runtime: Runtime,
    options: SupervisorOptions = {},
  ): Promise<Supervisor> {
    const folder = mkdtempSync(join(tmpdir(), `portico-${runtime.name}-`))
    const links: LinkServer[] = []
    for (let i = 0; i < (options.links ?? 1); i++) {
      const link = new LinkServer(join(folder, `link-${i}.sock`))
      await link.listen()
      links.push(link)
    }
    const logs = createServer()
    const log = join(folder, 'log.sock')
    await new Promise<void>((resolve) => logs.listen(log, resolve))
    const supervisor = new Supervisor(app, runtime, links, folder, logs)
    const paths = links.map((link) => link.path)
    supervisor.say({ type: 'configure', app: supervisor.app, links: paths, log, dev: false })
    return supervisor
  }

  /** Starts one and waits for its first worker. */
  static async serving(
    some: Partial<PythonAppPlan> = {},
  ): Promise<{ supervisor: Supervisor; worker: WorkerLink }> {
    const supervisor = await Supervisor.start(some)
    return { supervisor, worker: await supervisor.first() }
  }

  /** Waits until the application is loaded, and for its first worker. */
  async first(): Promise<WorkerLink> {
    await this.heard('loaded')
    this.say({ type: 'spawn', slot: 0 })
    return this.links[0]!.worker()
  }

  say(message: ToParent): void {
    this.#control.write(JSON.stringify(message) + '\n')
  }

  sayRaw(line: string): void {
    this.#control.write(line)
  }

  /** Closes the control channel, as a supervisor that died would. */
  hangUp(): void {
    this.#control.destroy()
  }

  /** The first message of that type, as soon as there is one. Fails when the parent fails or exits. */
  async heard<Type extends FromParent['type']>(
    type: Type,
  ): Promise<Extract<FromParent, { type: Type }>> {
    const find = (): FromParent | undefined =>
      this.messages.find((message) => message.type === type)
    await this.until(() => {
      if (find() !== undefined) return true
      const failed = this.messages.find((message) => message.type === 'failed')
      if (failed !== undefined) throw new Error(failed.detail)
      if (this.parent.exitCode !== null) throw new Error(`the parent has exited: ${this.stderr}`)
      return false
    })
    return find() as Extract<FromParent, { type: Type }>
  }

  /** Waits until `test` holds; it is asked whenever something came in. */
  async until(test: () => boolean): Promise<void> {
    while (!test()) {
      await new Promise<void>((resolve) => {
        this.#watchers.push(resolve)
      })
    }
  }

  async logged(text: string | RegExp): Promise<void> {
    await this.until(() =>
      typeof text === 'string' ? this.log.includes(text) : text.test(this.log),
    )
  }

  #changed(): void {
    const watchers = this.#watchers
    this.#watchers = []
    for (const watcher of watchers) watcher()
  }

  async stop(): Promise<void> {
    this.#control.destroy()
    await this.exit
    for (const link of this.links) await link.close()
    for (const socket of this.#logSockets) socket.destroy()
    this.#logs.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Whether a process is there (a zombie is not). */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
