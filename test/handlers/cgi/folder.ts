/** A folder of programs, served by a CGI handler through the real gateway. */
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type CgiHost, cgi } from '../../../src/handlers/cgi.ts'
import type { CgiPlan, RouteMatch } from '../../../src/site/plan.ts'
import { lookAt } from '../../flows/support/processes.ts'
import { type Ask, ask, type Reply } from '../../flows/support/visitor.ts'
import { until } from '../../supervisor/site.ts'
import { serve } from '../serve.ts'

export class Programs {
  readonly root: string
  /** Beside the folder of the programs. */
  readonly outside: string
  readonly log: string[] = []
  readonly redirects: string[] = []
  #port = 0
  #close: () => void = () => {}

  constructor(programs: Readonly<Record<string, string>> = {}) {
    const all = realpathSync(mkdtempSync(join(tmpdir(), 'portico-cgi-')))
    this.root = join(all, 'cgi-bin')
    this.outside = join(all, 'outside')
    for (const folder of [this.root, this.outside]) mkdirSync(folder)
    for (const [name, text] of Object.entries(programs)) this.write(name, text)
  }

  /** Texts become shell scripts unless they begin with `#!`. */
  write(name: string, text: string, mode = 0o755): string {
    const path = join(this.root, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text.startsWith('#!') ? text : `#!/bin/sh\n${text}`)
    chmodSync(path, mode)
    return path
  }

  async serve(
    plan: Partial<CgiPlan> = {},
    match: RouteMatch = { kind: 'prefix', path: '/cgi-bin/' },
  ): Promise<this> {
    const host: CgiHost = {
      user: 'whoever we are',
      spool: this.outside,
      say: (level, message) => void this.log.push(`${level} ${message}`),
      redirect: (exchange, target) => {
        this.redirects.push(target)
        exchange.respond({ status: 299, reason: '', fields: '', has: 0 }, Buffer.from(target))
      },
    }
    const served = await serve(cgi(this.plan(plan), host), match)
    this.#port = served.port
    this.#close = served.close
    return this
  }

  plan(more: Partial<CgiPlan> = {}): CgiPlan {
    const limits = {
      concurrency: 64,
      queue: 1024,
      deadlineMs: 20_000,
      softDeadlineMs: 0,
      queueDeadlineMs: 0,
    }
    return {
      kind: 'cgi',
      root: this.root,
      documentRoot: this.root,
      env: {},
      index: [],
      ...limits,
      ...more,
    }
  }

  get port(): number {
    return this.#port
  }

  ask(path: string, request?: Ask): Promise<Reply> {
    return ask(this.#port, `/cgi-bin/${path}`, request)
  }

  async logged(pattern: RegExp): Promise<string> {
    return until(`the log to match ${pattern}: ${this.log.join('\n')}`, () =>
      this.log.find((line) => pattern.test(line)),
    )
  }

  /** Resolves when the program has ended and has been waited for. */
  async gone(pid: number, ms?: number): Promise<void> {
    await until(`process ${pid} to be no more`, () => lookAt(pid) === null && !isZombie(pid), ms)
  }

  /** Resolves when what a program has started has ended. */
  async ended(pid: number): Promise<void> {
    await until(`process ${pid} to end`, () => lookAt(pid) === null)
  }

  [Symbol.dispose](): void {
    this.#close()
    rmSync(dirname(this.root), { recursive: true, force: true })
  }
}

/** Ended, and nobody has waited for it. */
export function isZombie(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return lookAt(pid) === null
  } catch {
    return false
  }
}
