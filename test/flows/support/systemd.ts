/**
 * A real service manager in namespaces of its own: systemd as a user's manager, which need not be the
 * first process of the machine. Nothing that it starts outlives it.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { childrenOf } from '../../../src/supervisor/children.ts'
import { until } from '../../supervisor/site.ts'
import type { Ran } from './portico.ts'

const run = promisify(execFile)
const RUNTIME = '/run/user/0'
// As process 1 it would take itself for the machine's.
const BEGIN = `
mount -t tmpfs none /run
mkdir -p /run/systemd/system ${RUNTIME}
chmod 700 ${RUNTIME}
/lib/systemd/systemd --user &
wait
`

export class Systemd {
  /** Its units lie below here. */
  readonly home: string
  readonly #child: ChildProcess
  #pid = 0

  private constructor() {
    this.home = mkdtempSync(join(tmpdir(), 'portico-systemd-'))
    const own = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
    this.#child = spawn('unshare', [...own, 'sh', '-ec', BEGIN], {
      env: { PATH: process.env.PATH, HOME: this.home, XDG_RUNTIME_DIR: RUNTIME },
      stdio: 'ignore',
    })
  }

  static async start(): Promise<Systemd> {
    const manager = new Systemd()
    await until('the service manager', async () => {
      const [first] = childrenOf(manager.#child.pid!)
      if (first === undefined) return false
      manager.#pid = first.pid
      return (await manager.run('systemctl', '--user', 'list-units')).code === 0
    })
    return manager
  }

  /** Runs a program beside the manager. */
  async run(...command: string[]): Promise<Ran> {
    const inside = ['--target', `${this.#pid}`, '--mount', '--pid', '--wd=/', 'env']
    const settings = [`HOME=${this.home}`, `XDG_RUNTIME_DIR=${RUNTIME}`]
    try {
      const { stdout, stderr } = await run('nsenter', [...inside, ...settings, ...command])
      return { code: 0, out: stdout, err: stderr }
    } catch (error) {
      const { code = 1, stdout = '', stderr = '' } = error as Partial<Record<string, string>>
      return { code: Number(code), out: stdout, err: stderr }
    }
  }

  /** A property of a unit, such as `ActiveState`. */
  async property(unit: string, name: string): Promise<string> {
    const { out } = await this.run(
      'systemctl',
      '--user',
      'show',
      unit,
      '--value',
      '--property',
      name,
    )
    return out.trim()
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL')
    rmSync(this.home, { recursive: true, force: true })
  }
}
