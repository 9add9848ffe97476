/**
 * Ends the workers of a service that hang: those whose request the server has given up, as soon as
 * their stack is logged. The service tells which of its workers is slow, and writes their stacks.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readFileSync } from 'node:fs'
import { type AbandonedRequest, SlowRequests } from './slow-requests.ts'

/** The service looks for slow requests in whole seconds, and three times in one: it may be so late, ms. */
const SUSPECT_MS = 3_000

interface Suspect {
  readonly request: AbandonedRequest
  readonly tell: (pid: number, stack: string) => void
  readonly timer: NodeJS.Timeout
}

/** From the report on a slow worker to its stack in the file, ms. */
const TRACE_MS = 1_000

export class SlowWorkers {
  /** The file that stacks are written to. */
  readonly #traces: string
  /** Told of a worker to end; `stack` is '' where the system does not let the service look. */
  readonly #end: (pid: number, stack: string) => void
  readonly #requests = new SlowRequests()
  readonly #stacks = new Map<number, string>()
  /** Requests that are slow and go on, of which the service has said nothing yet. */
  readonly #suspects = new Set<Suspect>()
  /** Those to be ended, with what ends them should their stack never come. */
  readonly #doomed = new Map<number, NodeJS.Timeout>()

  constructor(traces: string, end: (pid: number, stack: string) => void) {
    this.#traces = traces
    this.#end = end
  }

  /** The service: this worker has run `request` for `elapsedMs`. */
  slow(pid: number, request: string, elapsedMs: number): void {
    this.#stacks.delete(pid)
    if (this.#requests.runs({ pid, request, beganAt: performance.now() - elapsedMs })) {
      this.#doom(pid)
    }
  }

  /** The service: the stack of this worker is written. */
  traced(pid: number): void {
    this.#readStacks()
    for (const suspect of this.#suspects) if (this.#runs(suspect) === pid) this.#settle(suspect)
    if (this.#doomed.has(pid)) this.#finish(pid)
  }

  /** The server: nobody waits for this request any more. */
  abandoned(request: AbandonedRequest): void {
    const pid = this.#requests.abandon(request)
    if (pid === 0) return
    if (this.#stacks.has(pid)) this.#finish(pid)
    else this.#doom(pid)
  }

  /** The server: this one is slow. `tell` gets its worker and the stack, 0 and '' where they stay unknown. */
  suspected(request: AbandonedRequest, tell: Suspect['tell']): void {
    const timer = setTimeout(() => this.#settle(suspect), SUSPECT_MS)
    const suspect: Suspect = { request, tell, timer }
    this.#suspects.add(suspect)
    if (this.#stacks.has(this.#runs(suspect))) this.#settle(suspect)
  }

  #runs({ request }: Suspect): number {
    return this.#requests.runner(request)
  }

  #settle(suspect: Suspect): void {
    clearTimeout(suspect.timer)
    this.#suspects.delete(suspect)
    const pid = this.#runs(suspect)
    suspect.tell(pid, this.#stacks.get(pid) ?? '')
  }

  /** The worker has ended. */
  died(pid: number): void {
    this.#requests.forget(pid)
    this.#stacks.delete(pid)
    clearTimeout(this.#doomed.get(pid))
    this.#doomed.delete(pid)
  }

  /** All of them have ended, or are somebody else's concern. */
  clear(): void {
    for (const timer of this.#doomed.values()) clearTimeout(timer)
    this.#doomed.clear()
    for (const { timer } of this.#suspects) clearTimeout(timer)
    this.#suspects.clear()
    this.#stacks.clear()
    this.#requests.clear()
  }

  #doom(pid: number): void {
    if (this.#doomed.has(pid)) return
    const timer = setTimeout(() => this.#finish(pid), TRACE_MS)
    this.#doomed.set(pid, timer)
  }

  #finish(pid: number): void {
    const stack = this.#stacks.get(pid) ?? ''
    this.died(pid)
    this.#end(pid, stack)
  }

  /** As php-fpm writes them: paragraphs whose first line ends in the number of the process. */
  #readStacks(): void {
    const text = takeText(this.#traces)
    for (const paragraph of text.split(/\n\s*\n/)) {
      const pid = Number(/^.*\bpid (\d+)$/m.exec(paragraph)?.[1] ?? 0)
      if (pid !== 0) this.#stacks.set(pid, paragraph.trim())
    }
  }
}

/** What a file holds, which is empty afterwards. It is another user's, who may have put anything there. */
function takeText(path: string): string {
  const { O_RDWR, O_NOFOLLOW, O_NONBLOCK } = constants
  let fd = -1
  try {
    fd = openSync(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK)
    const stats = fstatSync(fd)
    if (!stats.isFile() || stats.nlink !== 1) return ''
    const text = readFileSync(fd, 'utf8')
    ftruncateSync(fd)
    return text
  } catch {
    // The service could not write there; it has said so.
    return ''
  } finally {
    if (fd >= 0) closeSync(fd)
  }
}
