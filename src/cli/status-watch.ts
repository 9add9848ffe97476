/** `portico status --watch`: asks again and again, and shows it on the whole terminal, or a line at a time. */
import { writeSync } from 'node:fs'
import { hostname } from 'node:os'
import { askAdmin } from '../supervisor/ask-admin.ts'
import type { SiteStatus } from '../supervisor/status.ts'
import { type Before, drawScreen, SORTS } from './status-screen.ts'

/** The other screen, without a cursor; and back. */
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J'
const LEAVE = '\x1b[?25h\x1b[?1049l'
const LINE_END = '\x1b[K'
const REST = '\x1b[J'

const CTRL_C = '\x03'
const CTRL_D = '\x04'
const CTRL_Z = '\x1a'
/** Where the terminal does not say how large it is. */
const USUAL = { columns: 80, rows: 24 }

export async function watchStatus(admin: string, everyMs: number): Promise<void> {
  const ask = async (): Promise<string> => (await askAdmin(admin, 'GET', '/status')).body
  // Where nothing answers at all, an error says so.
  const first = await ask()
  if (process.stdout.isTTY !== true) return printLines(ask, first, everyMs)
  await new Watch(ask, everyMs).run(JSON.parse(first))
}

/** Into a pipe: one status a line, until its reader or the site is gone. */
async function printLines(ask: () => Promise<string>, first: string, ms: number): Promise<void> {
  const closed = new AbortController()
  process.stdout.on('error', () => closed.abort())
  let text = first
  while (!closed.signal.aborted) {
    process.stdout.write(`${text.trimEnd()}\n`)
    await new Promise((resolve) => setTimeout(resolve, ms))
    if (!closed.signal.aborted) text = await ask()
  }
}

class Watch {
  readonly #ask: () => Promise<string>
  readonly #everyMs: number
  #status!: SiteStatus
  #at = 0
  #before: Before | null = null
  #sort = 0
  #reversed = false
  #trouble = ''
  #shown = false
  #end: () => void = () => {}

  constructor(ask: () => Promise<string>, everyMs: number) {
    this.#ask = ask
    this.#everyMs = everyMs
  }

  /** Resolves when its user has had enough. */
  async run(first: SiteStatus): Promise<void> {
    this.#status = first
    this.#at = performance.now()
    const ended = new Promise<void>((resolve) => {
      this.#end = resolve
    })
    const release = this.#listen()
    this.#enter()
    let timer: NodeJS.Timeout | undefined
    const next = (): void => {
      timer = setTimeout(() => void this.#look().then(next), this.#everyMs)
    }
    next()
    try {
      await ended
    } finally {
      clearTimeout(timer)
      release()
      this.#leave()
    }
    // A question that is still open keeps nobody waiting.
    process.exit(0)
  }

  async #look(): Promise<void> {
    try {
      const status: SiteStatus = JSON.parse(await this.#ask())
      const now = performance.now()
      this.#before = { status: this.#status, ms: now - this.#at }
      this.#status = status
      this.#at = now
      this.#trouble = ''
    } catch (error) {
      this.#trouble = error instanceof Error ? error.message : String(error)
    }
    this.#draw()
  }

  /** However this process ends, the terminal is as it was. */
  #listen(): () => void {
    const { stdin, stdout } = process
    const key = (chunk: Buffer): void => {
      for (const character of chunk.toString('latin1')) this.#pressed(character)
    }
    const end = (): void => this.#end()
    const resize = (): void => this.#draw()
    const again = (): void => this.#enter()
    const exit = (): void => this.#leave()
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const
    for (const signal of signals) process.on(signal, end)
    process.on('SIGCONT', again)
    process.on('exit', exit)
    stdout.on('resize', resize)
    // The terminal is gone.
    stdout.on('error', end)
    stdin.on('data', key)
    stdin.on('end', end)
    stdin.on('error', end)
    stdin.resume()
    return () => {
      for (const signal of signals) process.off(signal, end)
      process.off('SIGCONT', again)
      process.off('exit', exit)
      stdout.off('resize', resize)
      stdin.off('data', key)
      stdin.pause()
    }
  }

  #pressed(character: string): void {
    switch (character) {
      case 'q':
      case 'Q':
      case CTRL_C:
      case CTRL_D:
        return this.#end()
      case 's':
        this.#sort = (this.#sort + 1) % SORTS.length
        return this.#draw()
      case 'r':
        this.#reversed = !this.#reversed
        return this.#draw()
      case CTRL_Z:
        this.#leave()
        process.kill(process.pid, 'SIGSTOP')
    }
  }

  #enter(): void {
    this.#shown = true
    if (process.stdin.isTTY) process.stdin.setRawMode(true)
    process.stdout.write(ENTER)
    this.#draw()
  }

  /** At once: the process may end right behind it. */
  #leave(): void {
    if (!this.#shown) return
    this.#shown = false
    try {
      if (process.stdin.isTTY) process.stdin.setRawMode(false)
      writeSync(process.stdout.fd, LEAVE)
    } catch {
      // The terminal is gone.
    }
  }

  #draw(): void {
    if (!this.#shown) return
    // Some say 0.
    const columns = process.stdout.columns || USUAL.columns
    const rows = process.stdout.rows || USUAL.rows
    const lines = drawScreen(this.#status, this.#before, {
      columns: Math.max(1, columns),
      rows: Math.max(1, rows),
      sort: SORTS[this.#sort]!,
      reversed: this.#reversed,
      color: (process.env.NO_COLOR ?? '') === '',
      host: hostname(),
      trouble: this.#trouble,
      time: new Date(),
    })
    process.stdout.write(`\x1b[H${lines.map((line) => `${line}${LINE_END}`).join('\r\n')}${REST}`)
  }
}
