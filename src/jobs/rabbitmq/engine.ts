/**
 * Jobs in a RabbitMQ (3.10 or newer). The broker keeps and hands out; what it cannot tell, whether a job
 * is done and with what result, each machine writes into a ledger of its own and tells the others.
 */
import { hostname } from 'node:os'
import type { GetMessage } from 'amqplib'
import {
  type EngineEvents,
  type Held,
  type Job,
  type JobEngine,
  JobError,
  type JobFacts,
  type Lease,
  type Leased,
  type Outcome,
} from '../engine.ts'
import { StoreFile } from '../local/file.ts'
import { parseRabbitAddress } from './address.ts'
import { Broker } from './broker.ts'
import { jobOf, optionsOf } from './message.ts'
import { FIRST_LEVEL, hash, levelFor, namesFor } from './names.ts'
import { News } from './news.ts'
import { rabbitRecords } from './records.ts'
import type { Session } from './session.ts'

export interface RabbitOptions {
  readonly url: string
  /** Of the file for results. */
  readonly ledger: string
  /** Bytes; 0: no bound but the disk's. */
  readonly largest: number
}

/** How often another process may be just looking at the job that has the key. */
const KEY_TRIES = 20
const KEY_WAIT_MS = 5
/** Nobody tells when a delayed job has come back to its queue, ms. */
const ASK_AGAIN_MS = 200

export interface InHand {
  readonly session: Session
  readonly message: GetMessage
  readonly job: Job
}

/** Resolves though the broker is away: it is waited for. Rejects when the ledger cannot be used. */
export async function openRabbit(options: RabbitOptions, events: EngineEvents): Promise<JobEngine> {
  const address = parseRabbitAddress(options.url)
  const file = await StoreFile.open(options.ledger, options.largest)
  return new RabbitEngine(address, file, hash(`${hostname()}\0${options.ledger}`), events)
}

class RabbitEngine implements JobEngine {
  readonly name = 'rabbitmq'
  readonly records: JobEngine['records']
  readonly #broker: Broker
  readonly #ledger: StoreFile
  readonly #news: News
  readonly #events: EngineEvents
  readonly #inHand = new Map<string, InHand>()
  /** Every queue that was put to or leased from: RabbitMQ's protocol lists none. */
  readonly #queues = new Set<string>()
  #receipts = 0

  constructor(
    address: Broker['address'],
    ledger: StoreFile,
    machine: string,
    events: EngineEvents,
  ) {
    this.#ledger = ledger
    this.#events = events
    const names = namesFor(address.prefix)
    this.#news = new News(names, machine, ledger, (queue) => events.work(queue))
    this.#broker = new Broker(address, names, events.warn, (session) => this.#news.listen(session))
    this.records = rabbitRecords(this.#broker, ledger, this.#news, this.#inHand, this.#queues)
  }

  async put(job: Job): Promise<string> {
    this.#queues.add(job.queue)
    const id = await this.#broker.run(async (session) => {
      if (job.key !== '') {
        const waiting = await this.#claimKey(session, job)
        if (waiting !== job.id) return waiting
      }
      await this.#send(session, job, '')
      return job.id
    })
    if (id === job.id) this.#tell(job.queue)
    return id
  }

  /** The id of the job that has the key now: this one, or another that waits. */
  async #claimKey(session: Session, job: Job): Promise<string> {
    const name = session.names.key(job.queue, job.key)
    for (let tries = 0; tries < KEY_TRIES; tries++) {
      await session.key(name)
      if (await session.publish('', name, Buffer.from(job.id), {})) return job.id
      const found = await session.get(name)
      if (found !== false) {
        session.channel.nack(found, false, true)
        return found.content.toString()
      }
      await new Promise((resolve) => setTimeout(resolve, KEY_WAIT_MS))
    }
    throw new JobError('UNAVAILABLE', `the key ${job.key} of ${job.queue} cannot be looked at`)
  }

  /** To its queue, or to wait for its time. */
  async #send(session: Session, job: Job, error: string): Promise<void> {
    await session.queue(job.queue)
    const wait = job.dueAt - Date.now()
    let exchange = session.names.jobs
    if (wait >= 2 ** FIRST_LEVEL) {
      const level = levelFor(wait)
      await session.delay(level)
      exchange = session.names.delay(level)
    }
    if (await session.publish(exchange, job.queue, job.payload, optionsOf(job, error))) return
    throw new JobError('FULL', `${session.address.shown} refuses jobs for ${job.queue}`)
  }

  #tell(queue: string): void {
    this.#events.work(queue)
    if (this.#broker.session !== null) this.#news.tellWork(this.#broker.session, queue)
  }

  async lease(queue: string, most: number): Promise<Leased> {
    this.#queues.add(queue)
    const session = this.#broker.session
    const askAt = Date.now() + ASK_AGAIN_MS
    if (session === null) return { held: [], askAt }
    await session.queue(queue)
    const held: Held[] = []
    while (held.length < most) {
      const message = await session.get(session.names.queue(queue))
      if (message === false) break
      const one = await this.#consider(session, queue, message)
      if (one !== null) held.push(one)
    }
    return { held, askAt }
  }

  /** Null when it is not to be done now, or not any more. */
  async #consider(session: Session, queue: string, message: GetMessage): Promise<Held | null> {
    const found = jobOf(message)
    if (found === null) {
      this.#events.warn(`${session.address.shown}: a message in ${queue} is no job; dropped`)
      session.channel.ack(message)
      return null
    }
    const { job, error } = found
    const wait = job.dueAt - Date.now()
    if (wait >= 2 ** FIRST_LEVEL) {
      await this.#send(session, job, error)
      session.channel.ack(message)
      return null
    }
    // What was cancelled, or was done by a worker whose word the broker did not hear.
    const known = await this.#ledger.ask<JobFacts | null>({ op: 'find', id: job.id })
    if (known !== null) {
      session.channel.ack(message)
      return null
    }
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
    if (job.key !== '')
      await session.guard(session.channel.deleteQueue(session.names.key(queue, job.key)))
    const receipt = String(++this.#receipts)
    // The key is free: whatever becomes of this job, it is not taken again.
    const begun = { ...job, key: '', attempts: job.attempts + 1 }
    this.#inHand.set(receipt, { session, message, job: begun })
    return { id: job.id, job: begun, receipt }
  }

  async settle({ receipt }: Lease, outcome: Outcome): Promise<boolean> {
    const inHand = this.#inHand.get(receipt)
    if (inHand === undefined) return false
    const { session, message, job } = inHand
    if (outcome.kind === 'done') {
      // First here: should the broker not hear of it, the job is known to be done when it comes again.
      await this.#news.ended(this.#broker.session, job, 'done', outcome.result)
    } else if (session.lost === '') {
      await this.#sendOn(session, job, outcome)
    }
    this.#inHand.delete(receipt)
    if (session.lost !== '') return outcome.kind === 'done' && job.keepMs > 0
    session.channel.ack(message)
    if (outcome.kind === 'again') this.#tell(job.queue)
    return true
  }

  /** Only when the broker has the new message is the old one let go. */
  async #sendOn(
    session: Session,
    job: Job,
    outcome: Exclude<Outcome, { kind: 'done' }>,
  ): Promise<void> {
    const { names, address } = session
    if (outcome.kind === 'dead') {
      const sent = await session.publish(
        '',
        names.dead(job.queue),
        job.payload,
        optionsOf(job, outcome.error),
      )
      if (!sent) throw new JobError('FULL', `${address.shown} refuses dead letters of ${job.queue}`)
      return
    }
    const attempts = job.attempts - (outcome.givenBack ? 1 : 0)
    await this.#send(session, { ...job, attempts, dueAt: outcome.dueAt }, outcome.error)
  }

  async close(): Promise<void> {
    await this.#broker.close()
    await this.#ledger.close()
  }
}
