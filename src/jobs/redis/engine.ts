/** Jobs in a Redis (6 or newer), for any number of machines. See scripts/common.lua for the keys. */
import { randomBytes } from 'node:crypto'
import { bytesOf, type Reply, textOf } from '../../wire/resp.ts'
import {
  type EngineEvents,
  type Held,
  type Job,
  type JobEngine,
  JobError,
  type Lease,
  type Leased,
  type Outcome,
} from '../engine.ts'
import { decodeHead, encodeHead } from '../head.ts'
import { parseRedisAddress, type RedisAddress } from './address.ts'
import { LostError, RedisConnection } from './connection.ts'
import { type RedisScripts, redisRecords } from './records.ts'
import { loadScripts, type ScriptName } from './scripts.ts'

/** Who says nothing for so long is dead, and its jobs go to others, ms. */
const LIFE_MS = 15_000
const BEAT_MS = 4_000
/** How long an outage may last before who puts a job is told, ms. */
const PATIENCE_MS = 10_000
/** News are published once: what was missed is found so much later, ms. */
const ASK_AGAIN_MS = 2_000

/** Resolves at once: a Redis that is away is waited for. Throws when the address is none. */
export function openRedis(url: string, events: EngineEvents): JobEngine {
  return new RedisEngine(parseRedisAddress(url), events)
}

class RedisEngine implements JobEngine, RedisScripts {
  readonly name = 'redis'
  readonly records: JobEngine['records']
  readonly #address: RedisAddress
  readonly #events: EngineEvents
  readonly #scripts = loadScripts()
  readonly #connection: RedisConnection
  readonly #prefix: string
  /** This process, for as long as it lives. */
  readonly #holder = randomBytes(9).toString('base64url')
  readonly #held = new Set<string>()
  readonly #beat: NodeJS.Timeout
  #receipts = 0

  constructor(address: RedisAddress, events: EngineEvents) {
    this.#address = address
    this.#events = events
    this.#prefix = `${address.prefix}:{jobs}:`
    this.records = redisRecords(this)
    this.#connection = new RedisConnection(address, {
      opened: (ask) => this.#opened(ask),
      published: (_channel, queue) => events.work(textOf(queue)),
      warn: (message) => events.warn(message),
    })
    this.#beat = setInterval(() => void this.#sayAlive(), BEAT_MS)
    this.#beat.unref()
  }

  async #opened(ask: (args: readonly string[]) => Promise<Reply>): Promise<void> {
    const loads = Object.values(this.#scripts).map(({ source }) => ask(['SCRIPT', 'LOAD', source]))
    await Promise.all([...loads, ask(['SUBSCRIBE', `${this.#prefix}work`])])
    await this.#warnOfForgetfulness(ask)
    // What a lease brought whose answer was lost is in nobody's hands.
    const { sha } = this.#scripts.beat
    const mine = [...this.#held]
    const beat = [this.#holder, String(LIFE_MS), '1', ...mine]
    await ask(['EVALSHA', sha, '1', this.#prefix, ...beat])
    // What was put while we were away, nobody told us.
    setImmediate(() => this.#events.work(''))
  }

  async #warnOfForgetfulness(ask: (args: readonly string[]) => Promise<Reply>): Promise<void> {
    const info = await ask(['INFO', 'persistence']).catch(() => '')
    if (!/^aof_enabled:0/m.test(String(info))) return
    this.#events.warn(
      `${this.#address.shown} keeps no append-only file: jobs are lost when it is restarted; set appendonly yes`,
    )
  }

  async #sayAlive(): Promise<void> {
    await this.#once('beat', [this.#holder, String(LIFE_MS), '0']).catch(() => {})
  }

  #once(name: ScriptName, args: readonly string[]): Promise<Reply> {
    return this.#connection.ask(['EVALSHA', this.#scripts[name].sha, '1', this.#prefix, ...args])
  }

  /** Steps that may run twice: again after each broken connection, as long as patience lasts. */
  async run(name: ScriptName, args: readonly string[]): Promise<Reply> {
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      try {
        return await this.#once(name, args)
      } catch (error) {
        const left = deadline - performance.now()
        const passing = error instanceof JobError && error.code === 'UNAVAILABLE'
        if (!passing || left <= 0) throw error
        if (!(error instanceof LostError)) await new Promise((resolve) => setTimeout(resolve, 100))
        else if (!(await this.#connection.ready(left))) {
          throw new JobError(
            'UNAVAILABLE',
            `${this.#address.shown} does not answer; try again later`,
          )
        }
      }
    }
  }

  hash(id: string): Promise<Reply> {
    return this.#connection.ask(['HGETALL', `${this.#prefix}job:${bytesOf(id)}`])
  }

  async put(job: Job): Promise<string> {
    const wait = Math.max(0, job.dueAt - Date.now())
    const reply = await this.run('put', [
      ...[bytesOf(job.id), bytesOf(job.queue), bytesOf(encodeHead(job)), latin1(job.payload)],
      ...[String(job.priority), String(wait), bytesOf(job.key), String(job.keepMs)],
    ])
    return textOf(String(reply))
  }

  async lease(queue: string, most: number): Promise<Leased> {
    const receipt = `${this.#holder}.${++this.#receipts}`
    const reply = await this.#once('lease', [bytesOf(queue), String(most), this.#holder, receipt])
    const [wait, ...found] = reply as readonly Reply[]
    const held: Held[] = []
    for (let at = 0; at < found.length; at += 5) {
      const [id, head, payload, attempts, mine] = found.slice(at, at + 5)
      const bytes = Buffer.from(String(payload), 'latin1')
      const job = decodeHead(textOf(String(head)), bytes, Number(attempts))
      if (job === null) {
        this.#events.warn(`${this.#address.shown}: the job ${id} is none of ours; left alone`)
        continue
      }
      this.#held.add(String(id))
      held.push({ id: job.id, job, receipt: String(mine) })
    }
    const next = Number(wait) < 0 ? ASK_AGAIN_MS : Math.min(ASK_AGAIN_MS, Number(wait))
    return { held, askAt: Date.now() + next }
  }

  async settle({ id, receipt }: Lease, outcome: Outcome): Promise<boolean> {
    const text = outcome.kind === 'done' ? latin1(outcome.result) : bytesOf(outcome.error)
    const wait = outcome.kind === 'again' ? Math.max(0, outcome.dueAt - Date.now()) : 0
    const back = outcome.kind === 'again' && outcome.givenBack ? '1' : '0'
    const args = [bytesOf(id), receipt, outcome.kind, text, String(wait), back]
    const reply = await this.run('settle', args)
    this.#held.delete(bytesOf(id))
    return reply === 1
  }

  async close(): Promise<void> {
    clearInterval(this.#beat)
    // A life of no time: whoever beats next, and we are the first, gives back what is in our hands.
    await this.#once('beat', [this.#holder, '-1', '1']).catch(() => {})
    this.#connection.close()
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
