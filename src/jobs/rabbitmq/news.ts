/** What machines tell each other: that there is work, and what became of a job. */
import type { ConsumeMessage } from 'amqplib'
import type { Job } from '../engine.ts'
import { decodeHead, encodeHead } from '../head.ts'
import type { StoreFile } from '../local/file.ts'
import { type Names, newsQueue } from './names.ts'
import type { Session } from './session.ts'

/** News of work is told at most so often for each queue, ms: who is busy finds more by itself. */
const WORK_MS = 20
/** And is of no use later, ms. */
const WORK_LIFE_MS = '1000'
const NOTHING = new Uint8Array()

export class News {
  readonly #names: Names
  readonly #machine: string
  readonly #ledger: StoreFile
  readonly #work: (queue: string) => void
  readonly #told = new Map<string, number>()

  constructor(names: Names, machine: string, ledger: StoreFile, work: (queue: string) => void) {
    this.#names = names
    this.#machine = machine
    this.#ledger = ledger
    this.#work = work
  }

  async listen({ channel }: Session): Promise<void> {
    const mine = this.#names.newsOf(this.#machine)
    await channel.assertQueue(mine, newsQueue)
    await channel.bindQueue(mine, this.#names.news, '')
    await channel.consume(mine, (message) => this.#heard(message), { noAck: true })
    setImmediate(() => this.#work(''))
  }

  #heard(message: ConsumeMessage | null): void {
    if (message === null) return
    const { type, appId, headers } = message.properties
    if (appId === this.#machine) return
    if (type === 'work') return this.#work(message.content.toString())
    const job = decodeHead(String(headers?.job), NOTHING, Number(headers?.attempts))
    if (job === null || (type !== 'done' && type !== 'cancelled')) return
    // A full disk costs a result, no job.
    const result = type === 'done' ? message.content : null
    this.#ledger.ask({ op: 'note', job, state: type, result }).catch(() => {})
  }

  tellWork({ channel }: Session, queue: string): void {
    const now = performance.now()
    if (now - (this.#told.get(queue) ?? Number.NEGATIVE_INFINITY) < WORK_MS) return
    this.#told.set(queue, now)
    const options = { type: 'work', appId: this.#machine, expiration: WORK_LIFE_MS }
    channel.publish(this.#names.news, '', Buffer.from(queue), options)
  }

  /** Resolves when it is written down here; the others hear of it if the broker is there. */
  async ended(
    session: Session | null,
    job: Job,
    state: 'done' | 'cancelled',
    result: Uint8Array | null,
  ): Promise<void> {
    if (job.keepMs === 0) return
    const head = { ...job, payload: NOTHING }
    await this.#ledger.ask({ op: 'note', job: head, state, result })
    if (session === null || session.lost !== '') return
    session.channel.publish(this.#names.news, '', Buffer.from(result ?? NOTHING), {
      type: state,
      appId: this.#machine,
      persistent: true,
      headers: { job: encodeHead(job), attempts: job.attempts },
    })
  }
}
