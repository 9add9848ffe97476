/** A MariaDB of a scenario's own: its data in a new folder, reachable over a unix socket alone. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../supervisor/site.ts'

const root = process.getuid?.() === 0

export class MariaDb {
  readonly socket: string
  readonly #folder: string
  readonly #child: ChildProcess
  #err = ''

  private constructor(folder: string, more: readonly string[]) {
    this.#folder = folder
    this.socket = join(folder, 'db.sock')
    this.#child = spawn(
      'mariadbd',
      [
        '--no-defaults',
        `--datadir=${join(folder, 'data')}`,
        `--socket=${this.socket}`,
        `--pid-file=${join(folder, 'pid')}`,
        '--skip-networking',
        '--innodb-flush-log-at-trx-commit=0',
        ...more,
        ...as,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#err += chunk
    })
  }

  /** With an empty database of this name, which `root` may use without a password. */
  static async with(database: string, ...more: readonly string[]): Promise<MariaDb> {
    const folder = mkdtempSync(join(tmpdir(), 'portico-flow-db-'))
    chmodSync(folder, 0o755)
    if (root) chownSync(folder, id('-u'), id('-g'))
    execFileSync(
      'mariadb-install-db',
      [
        '--no-defaults',
        `--datadir=${join(folder, 'data')}`,
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
        ...as,
      ],
      { stdio: 'ignore' },
    )
    const db = new MariaDb(folder, more)
    await until(
      'MariaDB',
      () => {
        if (db.#child.exitCode !== null) throw new Error(db.#err)
        return db.#ask(`CREATE DATABASE IF NOT EXISTS ${database}`)
      },
      20_000,
    )
    return db
  }

  #ask(statement: string): boolean {
    try {
      execFileSync('mariadb', ['--no-defaults', `--socket=${this.socket}`, '-uroot'], {
        input: statement,
        stdio: ['pipe', 'ignore', 'ignore'],
      })
      return true
    } catch {
      return false
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    if (this.#child.exitCode === null && this.#child.kill('SIGKILL')) await ended
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** It refuses to be root. */
const as: readonly string[] = root ? ['--user=mysql'] : []
const id = (what: string): number =>
  Number(execFileSync('id', [what, 'mysql'], { encoding: 'utf8' }))
