/** The command as a user runs it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../supervisor/site.ts'

export const PORTICO: string = new URL('../../bin/portico', import.meta.url).pathname

export interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs to the end. `node` is the one that starts the launcher. */
export function portico(
  args: readonly string[],
  cwd: string = tmpdir(),
  node: string = process.execPath,
): Ran {
  const run = spawnSync(node, [PORTICO, ...args], { cwd, encoding: 'utf8', timeout: 20_000 })
  return { code: run.status, out: run.stdout, err: run.stderr }
}

/** A folder with a small WSGI application, `app:application`. */
export function appFolder(body = 'hello'): string {
  const folder = mkdtempSync(join(tmpdir(), 'portico-cli-'))
  writeApp(folder, body)
  return folder
}

export function writeApp(folder: string, body: string): void {
  writeFileSync(
    join(folder, 'app.py'),
    `def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'${body}']
`,
  )
}

/** A running `portico serve`. */
export class Served {
  readonly child: ChildProcess
  readonly folder: string
  readonly exited: Promise<{ code: number | null; signal: string | null }>
  err = ''

  constructor(folder: string, args: readonly string[], node: string = process.execPath) {
    this.folder = folder
    this.child = spawn(node, [PORTICO, 'serve', ...args], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.err += chunk
    })
    this.exited = new Promise((resolve) =>
      this.child.on('close', (code, signal) => resolve({ code, signal })),
    )
  }

  /** The URL that it prints. */
  ready(): Promise<string> {
    return until(
      `the site to be served; the log:\n${this.err}`,
      () => /"urls":"([^" ]+)/.exec(this.err)?.[1],
      15_000,
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    this.child.kill('SIGTERM')
    await this.exited
  }
}
