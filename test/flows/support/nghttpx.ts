/** nghttpx: takes HTTP/1 and speaks HTTP/2 to whoever is behind it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { connect } from 'node:net'
import { until } from '../../supervisor/site.ts'
import { freePort } from './peers.ts'
import { kill } from './processes.ts'

export class Nghttpx implements AsyncDisposable {
  readonly port: number
  readonly #child: ChildProcess
  #err = ''

  private constructor(port: number, behind: number) {
    this.port = port
    this.#child = spawn(
      'nghttpx',
      [
        `--frontend=127.0.0.1,${port};no-tls`,
        `--backend=127.0.0.1,${behind};;proto=h2`,
        // As it came: what is said of the visitor is Portico's to say.
        '--no-via',
        '--no-location-rewrite',
        '--single-process',
        '--accesslog-file=/dev/null',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#err += chunk
    })
  }

  /** Before the site on a port of this machine. */
  static async before(behind: number): Promise<Nghttpx> {
    const nghttpx = new Nghttpx(await freePort(), behind)
    await until('nghttpx', async () => {
      if (nghttpx.#child.exitCode !== null) throw new Error(nghttpx.#err)
      return new Promise<boolean>((resolve) => {
        const socket = connect(nghttpx.port, '127.0.0.1')
        socket.on('connect', () => resolve(true))
        socket.on('error', () => resolve(false))
        socket.on('connect', () => socket.destroy())
      })
    })
    return nghttpx
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = new Promise((resolve) => this.#child.on('exit', resolve))
    if (this.#child.exitCode === null) kill(this.#child.pid ?? 0, 'SIGTERM')
    else return
    await gone
  }
}
