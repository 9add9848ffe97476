/** A supervisor under test: its process, its log, its admin socket. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { noBackground } from '../../src/site/background-plan.ts'
import { usualJobs } from '../../src/site/draw-jobs.ts'
import type { PythonAppPlan, SitePlan } from '../../src/site/plan.ts'
import type { SiteStatus } from '../../src/supervisor/status.ts'

const PYTHON = process.env.PYTHON ?? 'python3'

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly app?: string
  readonly pid?: number
  readonly urls?: string
}

export interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

export function appPlan(change: Partial<PythonAppPlan> = {}): PythonAppPlan {
  return {
    kind: 'python',
    name: 'app',
    module: 'app',
    callable: 'application',
    dir: tmpdir(),
    python: PYTHON,
    venv: '',
    env: {},
    workers: 2,
    threads: 1,
    mode: 'wsgi',
    concurrency: 1000,
    lifespan: 'auto',
    mules: [],
    deadlineMs: 0,
    softDeadlineMs: 0,
    queueDeadlineMs: 0,
    startTimeoutMs: 5_000,
    queue: 100,
    ...change,
  }
}

export function sitePlan(folder: string, change: Partial<SitePlan> = {}): SitePlan {
  return {
    file: join(folder, 'plan.json'),
    sources: [join(folder, 'plan.json')],
    listeners: [
      {
        name: 'http://127.0.0.1:0',
        scheme: 'http',
        address: { kind: 'tcp', host: '127.0.0.1', port: 0 },
        backlog: 512,
        proxyProtocol: false,
      },
    ],
    hosts: [],
    apps: {},
    pools: {},
    trusted: [],
    threads: 2,
    limits: { line: 8_192, head: 65_536, fields: 100, body: 1_048_576, connections: 1_000 },
    timeouts: {
      headMs: 5_000,
      bodyMs: 5_000,
      idleMs: 5_000,
      sendMs: 5_000,
      abandonMs: 1_000,
      leaveMs: 0,
      stopMs: 3_000,
    },
    log: { access: 'off', format: 'json' },
    commons: {
      size: 67_108_864,
      item: 1_048_576,
      connections: 1_000,
      redis: null,
      memcached: null,
    },
    jobs: usualJobs(join(folder, 'state')),
    background: noBackground,
    stats: { uwsgi: null, statsd: null },
    state: join(folder, 'state'),
    trace: null,
    admin: join(folder, 'admin.sock'),
    pidFile: '',
    user: '',
    group: '',
    spool: folder,
    dev: false,
    watch: false,
    signals: 'portico',
    fifo: [],
    serverName: 'Portico',
    ...change,
  }
}

export class TestSite {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'portico-test-'))
  readonly log: LogLine[] = []
  readonly exited: Promise<{ code: number | null; signal: string | null }>
  readonly child: ChildProcess
  #rest = ''

  /** Starts with the plan; `environment` reaches the fakes. */
  constructor(
    plan: (folder: string) => SitePlan | { error: string },
    environment: Record<string, string> = {},
  ) {
    this.write(plan(this.folder))
    const main = new URL('./fakes/run.ts', import.meta.url).pathname
    this.child = spawn(process.execPath, [main, join(this.folder, 'plan.json')], {
      stdio: ['ignore', 'inherit', 'pipe'],
      env: { ...process.env, ...environment },
    })
    this.child.stderr?.on('data', (chunk: Buffer) => this.#read(chunk.toString()))
    this.exited = new Promise((resolve) => {
      this.child.on('close', (code, signal) => resolve({ code, signal }))
    })
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line.startsWith('{')) this.log.push(JSON.parse(line))
      else if (line !== '') this.log.push({ level: 'raw', message: line })
    }
  }

  write(plan: SitePlan | { error: string }): void {
    writeFileSync(join(this.folder, 'plan.json'), JSON.stringify(plan))
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  /** Resolves with the first matching line of the log after `from`. */
  async logged(pattern: RegExp, from = 0): Promise<LogLine> {
    return until(
      `the log to match ${pattern}; it is:\n${this.log.map((l) => l.message).join('\n')}`,
      () => this.log.slice(from).find((line) => pattern.test(line.message)),
    )
  }

  /** Resolves with the URL once the site serves. */
  async ready(): Promise<string> {
    const line = await this.logged(/^serving/)
    return line.urls?.split(' ')[0] ?? ''
  }

  async admin(method: string, path: string): Promise<Answer> {
    return httpAnswer({ socketPath: join(this.folder, 'admin.sock'), method, path })
  }

  async status(): Promise<SiteStatus> {
    return JSON.parse((await this.admin('GET', '/status')).body)
  }

  /** Stops and removes everything, however the test went. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGTERM')
      const timer = setTimeout(() => this.child.kill('SIGKILL'), 8_000)
      await this.exited
      clearTimeout(timer)
    }
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export function httpAnswer(options: {
  socketPath?: string
  host?: string
  port?: number
  method?: string
  path?: string
}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ agent: false, ...options }, (response) => {
      let body = ''
      response.on('data', (chunk) => {
        body += chunk
      })
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          type: response.headers['content-type'] ?? '',
          body,
        }),
      )
    })
    sent.on('error', reject)
    sent.end()
  })
}

export async function get(url: string, path = '/'): Promise<string> {
  const { hostname, port } = new URL(url)
  return (await httpAnswer({ host: hostname, port: Number(port), path })).body
}

/** Polls until `probe` gives something; fails after `ms`. */
export async function until<Value>(
  what: string,
  probe: () => Value | undefined | false | Promise<Value | undefined | false>,
  ms = 8_000,
): Promise<Value> {
  const deadline = performance.now() + ms
  while (performance.now() < deadline) {
    const value = await probe()
    if (value !== undefined && value !== false) return value
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`waited ${ms} ms for ${what}`)
}
