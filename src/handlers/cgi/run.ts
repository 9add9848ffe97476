/**
 * One program at work on one request:
 *
 *     STARTING ── WRITING ── ENDING ── OVER
 *         └───────────┴─ visitor left, deadline ─▶ KILLED ─┘
 *
 * WRITING lasts while its output is open, ENDING until it has exited. KILLED: its process group was sent
 * SIGTERM; when the program has gone, or GRACE_MS later, what is left of the group is killed. The program
 * is only waited for after that: until then its number, and thereby its group's, cannot be another's.
 */
import { Socket } from 'node:net'
import { PorticoError } from '../../errors.ts'
import { mayRunAhead } from '../../request/ahead.ts'
import { clock, TICK_MS } from '../../request/clock.ts'
import type { Exchange } from '../../request/exchange.ts'
import { neverBlocks, type SystemCallError } from '../../system/libc.ts'
import { closeFile, openPipe, readNow } from '../../system/pipes.ts'
import { type Ended, hasEnded, launch, reap } from '../../system/spawn.ts'
import { CgiAnswer } from './answer.ts'
import { describe, startFailure } from './failures.ts'
import { folderOf, type Program } from './find.ts'
import { isNph } from './nph.ts'
import { printable, Words } from './words.ts'

const READ_BUFFER = 65_536
/** Said between two ticks, bytes: about half of what a pipe holds. */
const MUCH = 32_768
/** From SIGTERM to SIGKILL, ms. */
const GRACE_MS = 2000
/** A program exits moments after its output has ended: it is asked that often, that long, ms. */
const SOON_MS = 1
const SOON_FOR_MS = 20
const NEVER = Number.POSITIVE_INFINITY

/** All of a thread's programs are read into this one buffer. */
const shared = Buffer.allocUnsafeSlow(READ_BUFFER)
/** What goes to the log is read by itself: it may come between two views of the other. */
const words = Buffer.allocUnsafeSlow(READ_BUFFER)

const State = { STARTING: 0, WRITING: 1, ENDING: 2, KILLED: 3, OVER: 4 } as const

/** What runs have in common, and who is told. */
export interface RunOwner {
  /** Before the program in argv: see `unprivileged`. */
  readonly before: readonly string[]
  readonly deadlineMs: number
  /** A line for our log. */
  say(level: 'info' | 'warn' | 'error', message: string): void
  /** Answers as if the visitor had asked for `target`: a path with its query. */
  redirect(exchange: Exchange, target: string): void
  /** The program is no more. */
  over(run: Run): void
}

export class Run {
  readonly #owner: RunOwner
  readonly #exchange: Exchange
  readonly #program: Program
  readonly #answer: CgiAnswer
  readonly #words: Words
  #state: number = State.STARTING
  #pid = 0
  #stdout: Socket | null = null
  /** The reading end of its stderr. */
  #stderr = -1
  #stderrStream: Socket | null = null
  /** Nobody waits for its answer any more. */
  #answered = false
  /** Bytes of its answer that wait for the visitor. */
  #ahead = 0
  /** When `check` has to act, on `clock.now`. */
  #deadline = NEVER
  readonly #beganAt: number = clock.now
  /** That it is slow was told. */
  #slow = false
  #soon: NodeJS.Timeout | null = null
  #soonUntil = 0

  /** Starts `program`. `stdin` is closed by us, unless it is everybody's (`keep`). */
  constructor(
    owner: RunOwner,
    exchange: Exchange,
    program: Program,
    env: readonly string[],
    stdin: number,
    keep: boolean,
  ) {
    this.#owner = owner
    this.#exchange = exchange
    this.#program = program
    this.#answer = new CgiAnswer(exchange, isNph(program.script))
    this.#words = new Words((line) => owner.say('warn', `${this.#name}: ${line}`))
    exchange.onGone = this.#gone
    exchange.onDrain = this.#drained
    this.#deadline = this.#later()
    this.#start(env, stdin, keep)
  }

  get #name(): string {
    return printable(this.#program.script)
  }

  // Starting.

  #start(env: readonly string[], stdin: number, keep: boolean): void {
    const { file, script } = this.#program
    let ours: number[] = []
    let theirs = keep ? [] : [stdin]
    try {
      const [output, stdout] = openPipe()
      ours = [output]
      theirs.push(stdout)
      const [complaints, stderr] = openPipe()
      ours.push(complaints)
      theirs.push(stderr)
      neverBlocks(complaints)
      const done = (error: SystemCallError | null, pid: number): void => {
        for (const fd of theirs) closeFile(fd)
        theirs = []
        if (error === null) return this.#started(pid, output, complaints)
        for (const fd of ours) closeFile(fd)
        this.#notStarted(error)
      }
      const { before } = this.#owner
      launch({
        file: before[0] ?? file,
        folder: folderOf(script),
        args: before.length === 0 ? [script] : [...before, file],
        env,
        stdin,
        stdout,
        stderr,
        done,
      })
    } catch (cause) {
      for (const fd of [...ours, ...theirs]) closeFile(fd)
      // Whoever made us has to know us first.
      process.nextTick(() => this.#notStarted(cause))
    }
  }

  #started(pid: number, output: number, complaints: number): void {
    this.#pid = pid
    this.#stderr = complaints
    const stdout = new Socket({
      fd: output,
      readable: true,
      writable: false,
      onread: { buffer: shared, callback: (length) => this.#read(length) },
    })
    stdout.on('end', () => this.#outputEnded())
    stdout.on('error', () => {})
    this.#stdout = stdout
    if (this.#state === State.KILLED) return this.#kill()
    this.#state = State.WRITING
    this.#deadline = this.#later()
    stdout.resume()
  }

  #notStarted(cause: unknown): void {
    const { error, why } = startFailure(cause)
    this.#owner.say('error', `${this.#name} could not be started: ${why}`)
    if (!this.#answered) this.#fail(error)
    this.#over()
  }

  // Its output.

  #read(length: number): boolean {
    if (this.#answered) return true
    this.#deadline = this.#later()
    let fast: boolean
    try {
      fast = this.#answer.take(shared, length)
    } catch (cause) {
      this.#badAnswer(cause)
      return false
    }
    if (this.#answer.complete && this.#answer.target === '') this.#finish(null)
    if (this.#answered || fast) return true
    this.#ahead += length
    if (mayRunAhead(this.#ahead)) return true
    // The visitor is slower than the program, which is not to blame for it.
    this.#deadline = NEVER
    return false
  }

  #badAnswer(cause: unknown): void {
    const error =
      cause instanceof PorticoError ? cause : new PorticoError('INTERNAL', '', { cause })
    const came = this.#answer.begun ? '' : `; it wrote: ${printable(this.#answer.came)}`
    this.#owner.say('error', `${this.#name}: ${error.message}${came}`)
    this.#fail(error)
    this.#kill()
  }

  #outputEnded(): void {
    if (this.#state !== State.WRITING) return
    this.#state = State.ENDING
    this.#deadline = this.#later()
    this.#soonUntil = performance.now() + SOON_FOR_MS
    this.#checkEnded()
  }

  /** How it ended says whether its output was all it had to say: mostly known at once. */
  #checkEnded(): void {
    this.#soon = null
    if (this.#state !== State.ENDING && this.#state !== State.KILLED) return
    if (this.#state === State.KILLED) {
      if (!hasEnded(this.#pid)) return this.#askSoon()
      this.#signal('SIGKILL')
    }
    const ended = reap(this.#pid)
    if (ended !== null) {
      // What it said first, then what became of it.
      this.#listen()
      this.#finish(ended)
      return this.#over()
    }
    if (performance.now() < this.#soonUntil) return this.#askSoon()
    // It goes on behind its last word: the visitor has no reason to wait.
    this.#finish(null)
  }

  #askSoon(): void {
    if (performance.now() < this.#soonUntil) {
      this.#soon = setTimeout(() => this.#checkEnded(), SOON_MS)
    }
  }

  /** The answer is complete, as far as can be told. `ended`: null while the program goes on. */
  #finish(ended: Ended | null): void {
    if (this.#answered) return
    const exchange = this.#exchange
    const { target, begun } = this.#answer
    const how = ended === null ? 'closed its output' : describe(ended)
    if (!begun) {
      const came = printable(this.#answer.came)
      const wrote = came === '' ? 'it wrote nothing' : `it wrote: ${came}`
      this.#owner.say('error', `${this.#name} ${how} without the head of an answer; ${wrote}`)
      return this.#fail(new PorticoError('CGI_FAILED', 'no head'))
    }
    this.#detach()
    const killed = ended !== null && ended.signal !== 0
    if (killed) this.#owner.say('error', `${this.#name} ${how} in the middle of its answer`)
    if (target !== '' && !killed) return this.#owner.redirect(exchange, target)
    this.#answer.end(killed ? new PorticoError('CGI_FAILED', 'killed') : null)
  }

  // What it says besides.

  /** Takes what it has complained of since the last time; returns how much. */
  #listen(): number {
    const length = this.#stderr < 0 ? 0 : readNow(this.#stderr, words)
    if (length > 0) this.#words.take(words.subarray(0, length))
    return length
  }

  /** For one that has much to complain of, and would be held up between two ticks. */
  #listenAlways(): void {
    const stream = new Socket({
      fd: this.#stderr,
      readable: true,
      writable: false,
      onread: {
        buffer: words,
        callback: (length) => {
          this.#words.take(words.subarray(0, length))
          return true
        },
      },
    })
    stream.on('error', () => {})
    // The descriptor is the stream's now.
    stream.on('close', () => {
      this.#stderr = -1
    })
    stream.resume()
    this.#stderrStream = stream
  }

  /** Four times a second: most programs are over before the first one. */
  tick(): void {
    if (this.#pid !== 0) this.#watch()
    // Also while it is being started: its file may be on a disk that does not answer.
    if (this.#state !== State.OVER && clock.now > this.#deadline) this.#expire()
  }

  #watch(): void {
    if (this.#state === State.OVER) return
    if (this.#stderrStream === null && this.#listen() > MUCH) this.#listenAlways()
    if (this.#state === State.ENDING || this.#state === State.KILLED) this.#checkEnded()
  }

  // Ends.

  #expire(): void {
    this.#deadline = NEVER
    if (this.#state === State.KILLED) {
      this.#signal('SIGKILL')
      return
    }
    const { deadlineMs } = this.#owner
    if (this.#state === State.WRITING && hasEnded(this.#pid)) return this.#endWithout()
    const what = this.#state === State.ENDING ? 'went on behind its answer' : 'wrote nothing'
    this.#owner.say('error', `${this.#name} ${what} for ${deadlineMs} ms: killed`)
    if (!this.#answered) this.#fail(new PorticoError('APP_DEADLINE', 'CGI'))
    this.#kill()
  }

  /** It has ended long ago; something that it left behind holds its output open. */
  #endWithout(): void {
    this.#owner.say('warn', `${this.#name} left a process that holds its output open: killed`)
    this.#signal('SIGKILL')
    this.#stdout?.destroy()
    this.#outputEnded()
  }

  readonly #gone = (): void => {
    this.#answered = true
    this.#answer.drop()
    this.#kill()
  }

  readonly #drained = (): void => {
    if (this.#state !== State.WRITING) return
    this.#ahead = 0
    this.#answer.drained()
    this.#deadline = this.#later()
    this.#stdout?.resume()
  }

  /** Ends the program and all it has started: politely, and then for certain. */
  #kill(): void {
    this.#state = State.KILLED
    this.#deadline = NEVER
    // Still being started: as soon as it has been.
    if (this.#pid === 0) return
    this.#stdout?.destroy()
    this.#signal('SIGTERM')
    this.#deadline = clock.now + GRACE_MS
    this.#soonUntil = performance.now() + SOON_FOR_MS
    this.#askSoon()
  }

  /** Says once that it runs longer than `softMs`; true: now. */
  tellSlow(now: number, softMs: number): boolean {
    if (this.#slow || this.#answered || this.#exchange.answered) return false
    const elapsed = now - this.#beganAt
    if (elapsed < softMs + TICK_MS) return false
    this.#slow = true
    const { line, trace } = this.#exchange
    const id = trace === null || trace === undefined ? '' : ` (request ${trace.id})`
    this.#owner.say(
      'warn',
      `slow request: ${line.method} ${printable(line.origin)}${id} has run for ${Math.round(elapsed)} ms; it goes on. ${this.#name} is process ${this.#pid}: a program shows no stack`,
    )
    return true
  }

  /** At once: the server ends. */
  close(): void {
    if (this.#state !== State.OVER) this.#signal('SIGKILL')
  }

  #signal(signal: NodeJS.Signals): void {
    // Group 0 would be our own.
    if (this.#pid === 0) return
    try {
      process.kill(-this.#pid, signal)
    } catch {
      // All of the group have gone.
    }
  }

  #fail(error: PorticoError): void {
    this.#detach()
    this.#answer.drop()
    this.#exchange.fail(error)
  }

  /** The exchange is no longer ours. */
  #detach(): void {
    this.#answered = true
    this.#exchange.onGone = null
    this.#exchange.onDrain = null
  }

  #over(): void {
    if (this.#state === State.OVER) return
    this.#state = State.OVER
    if (this.#soon !== null) clearTimeout(this.#soon)
    this.#stdout?.destroy()
    this.#listen()
    if (this.#stderrStream !== null) this.#stderrStream.destroy()
    else if (this.#stderr >= 0) closeFile(this.#stderr)
    this.#stderr = -1
    this.#words.end()
    this.#owner.over(this)
  }

  #later(): number {
    const { deadlineMs } = this.#owner
    return deadlineMs === 0 ? NEVER : clock.now + deadlineMs + TICK_MS
  }
}
