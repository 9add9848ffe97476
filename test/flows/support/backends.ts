/** Servers that stand behind Portico in a scenario: Debian's uWSGI, php-fpm and fcgiwrap. */
import { type ChildProcess, spawn } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../supervisor/site.ts'
import { APPS } from './portico.ts'
import { kill } from './processes.ts'
import { Visitor } from './visitor.ts'

/** Of what a program prints, characters. */
const MOST_PRINTED = 100_000

/** A program of its own, which listens on unix sockets in a folder of its own. */
export class Backend {
  readonly folder: string
  /** What it has printed. */
  printed = ''
  readonly #command: (folder: string) => readonly string[]
  readonly #sockets: readonly string[]
  #child: ChildProcess | null = null

  /** `command` makes the command line from the folder; `sockets` are names in it. */
  constructor(command: (folder: string) => readonly string[], sockets: readonly string[]) {
    this.folder = mkdtempSync(join(tmpdir(), 'portico-backend-'))
    this.#command = command
    this.#sockets = sockets
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  async start(): Promise<this> {
    for (const name of this.#sockets) rmSync(this.path(name), { force: true })
    const [program = '', ...args] = this.#command(this.folder)
    const child = spawn(program, args, {
      cwd: this.folder,
      env: { PATH: process.env.PATH, LEFT: this.path('left') },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        if (this.printed.length < MOST_PRINTED) this.printed += chunk
      })
    }
    for (const name of this.#sockets) {
      await until(`${program} on ${name}`, async () => {
        if (child.exitCode !== null) throw new Error(this.printed)
        const visitor = await Visitor.to(this.path(name)).catch(() => undefined)
        visitor?.leave()
        return visitor !== undefined
      })
    }
    return this
  }

  /** Kills it and waits for its end. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    kill(child.pid ?? 0, signal)
    await ended
  }

  /** The content of a file that a program has written. */
  wrote(name: string): Promise<string> {
    return until(name, () => {
      try {
        return readFileSync(this.path(name), 'utf8')
      } catch {
        return undefined
      }
    })
  }

  /** Writes a file into its folder; returns the path. */
  write(name: string, content: string, mode = 0o644): string {
    writeFileSync(this.path(name), content, { mode })
    return this.path(name)
  }

  remove(name: string): void {
    rmSync(this.path(name), { force: true })
  }

  /** Kills it with all that it has started. */
  async killAll(): Promise<void> {
    const group = -(this.#child?.pid ?? 0)
    await this.kill()
    if (group < 0) await until('its group to end', () => !kill(group))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Its master takes its workers along.
    await this.kill('SIGTERM')
    await this.killAll()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** uWSGI with every protocol it speaks, each on a socket of that name. */
export function uwsgi(
  application = 'backend_contract.py',
  more: readonly string[] = [],
): Promise<Backend> {
  const protocols = {
    uwsgi: 'socket',
    puwsgi: 'puwsgi-socket',
    fastcgi: 'fastcgi-socket',
    scgi: 'scgi-socket',
  }
  return new Backend(
    (folder) => [
      'uwsgi',
      '--plugin=python3',
      '--master',
      '--die-on-term',
      '--need-app',
      '--processes=4',
      '--buffer-size=32768',
      `--wsgi-file=${join(APPS, application)}`,
      ...Object.entries(protocols).map(([name, option]) => `--${option}=${join(folder, name)}`),
      ...more,
    ],
    Object.keys(protocols),
  ).start()
}

/** php-fpm on the socket `fastcgi`; its document root is its folder. */
export function phpFpm(more = ''): Promise<Backend> {
  const backend = new Backend(
    (folder) => [
      'php-fpm8.2',
      '--nodaemonize',
      '--allow-to-run-as-root',
      '--fpm-config',
      join(folder, 'fpm.conf'),
      '-c',
      '/dev/null',
    ],
    ['fastcgi'],
  )
  const user = process.getuid?.() === 0 ? 'user = root\ngroup = root' : ''
  writeFileSync(
    backend.path('fpm.conf'),
    `[global]
error_log = ${backend.path('fpm.log')}
log_level = warning
[www]
${user}
listen = ${backend.path('fastcgi')}
pm = static
pm.max_children = 4
clear_env = no
catch_workers_output = no
php_admin_value[error_log] =
php_admin_flag[log_errors] = on
php_admin_value[output_buffering] = 0
php_admin_flag[display_errors] = off
${more}
`,
  )
  copyFileSync(join(APPS, 'backend-contract.php'), backend.path('index.php'))
  return backend.start()
}

/** fcgiwrap on the socket `fastcgi`. */
export function fcgiwrap(): Promise<Backend> {
  return new Backend(
    (folder) => [
      'spawn-fcgi',
      '-n',
      '-s',
      join(folder, 'fastcgi'),
      '-F',
      '1',
      '--',
      '/usr/sbin/fcgiwrap',
      '-c',
      '2',
      '-f',
    ],
    ['fastcgi'],
  ).start()
}
