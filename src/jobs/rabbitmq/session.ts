/** One connection to a RabbitMQ, with what has been declared over it. Ends as a whole: nothing is repaired. */
import {
  type ChannelModel,
  type ConfirmChannel,
  connect,
  type GetMessage,
  type Options,
} from 'amqplib'
import { JobError } from '../engine.ts'
import type { RabbitAddress } from './address.ts'
import { delayQueue, jobQueue, keyQueue, type Names } from './names.ts'

const CONNECT_MS = 10_000
/** A broker that does not say within this time that it has a job hangs, ms. */
const CONFIRM_MS = 10_000

/** The session ended before the broker said what became of it. */
export class SessionLost extends JobError {
  constructor(where: string, cause?: unknown) {
    super('UNAVAILABLE', `the connection to ${where} broke`, { cause })
  }
}

export class Session {
  readonly address: RabbitAddress
  readonly names: Names
  readonly model: ChannelModel
  /** Everything is published over it, and leased and acknowledged. */
  readonly channel: ConfirmChannel
  /** Why it has ended; '' as long as it lives. */
  lost = ''
  readonly #declared = new Map<string, Promise<unknown>>()
  /** Ids of messages that no queue wanted. */
  readonly #returned = new Set<string>()
  readonly #fail: Set<(error: Error) => void> = new Set()
  #serial = 0
  /** Why the broker takes nothing at the moment; '': it does. */
  blocked = ''

  private constructor(
    address: RabbitAddress,
    names: Names,
    model: ChannelModel,
    channel: ConfirmChannel,
  ) {
    this.address = address
    this.names = names
    this.model = model
    this.channel = channel
    channel.on('return', (message) => this.#returned.add(String(message.properties.messageId)))
    model.on('blocked', (reason) => {
      this.blocked = reason
    })
    model.on('unblocked', () => {
      this.blocked = ''
    })
  }

  /** `ended` is called once, with the reason. */
  static async open(
    address: RabbitAddress,
    names: Names,
    ended: (why: string) => void,
  ): Promise<Session> {
    const model = await connect(address.url, { timeout: CONNECT_MS, noDelay: true })
    let why = ''
    model.on('error', (error) => {
      why ||= error.message
    })
    try {
      const channel = await model.createConfirmChannel()
      const session = new Session(address, names, model, channel)
      const end = (): void => {
        if (session.lost !== '') return
        session.lost = why || 'it closed the connection'
        for (const fail of [...session.#fail]) fail(new SessionLost(address.shown))
        model.close().catch(() => {})
        ended(session.lost)
      }
      channel.on('error', (error) => {
        why ||= error.message
      })
      channel.on('close', end)
      model.on('close', end)
      await channel.assertExchange(names.jobs, 'direct', { durable: true })
      await channel.assertExchange(names.news, 'fanout', { durable: true })
      return session
    } catch (error) {
      model.close().catch(() => {})
      throw error
    }
  }

  /** The queue of jobs, bound; so is the one of its dead letters. */
  queue(name: string): Promise<unknown> {
    const { names, channel } = this
    return this.#once(names.queue(name), async () => {
      await channel.assertQueue(names.queue(name), jobQueue(this.address.quorum))
      await channel.bindQueue(names.queue(name), names.jobs, name)
      await channel.assertQueue(names.dead(name), { durable: true })
    })
  }

  delay(level: number): Promise<unknown> {
    const { names, channel } = this
    const name = names.delay(level)
    return this.#once(name, async () => {
      await channel.assertExchange(name, 'fanout', { durable: true })
      await channel.assertQueue(name, delayQueue(level, names))
      await channel.bindQueue(name, name, '')
    })
  }

  async key(name: string): Promise<void> {
    await this.guard(this.channel.assertQueue(name, keyQueue))
  }

  #once(name: string, declare: () => Promise<void>): Promise<unknown> {
    let declared = this.#declared.get(name)
    if (declared === undefined) {
      declared = this.guard(declare())
      this.#declared.set(name, declared)
      declared.catch(() => this.#declared.delete(name))
    }
    return declared
  }

  /**
   * Resolves once the broker has it on disk. False: it refused (a queue that is full). Rejects with a
   * JobError; a message that no queue wanted is an UNAVAILABLE, and what was declared is forgotten.
   */
  publish(
    exchange: string,
    key: string,
    content: Uint8Array,
    options: Options.Publish,
  ): Promise<boolean> {
    const { shown } = this.address
    if (this.blocked !== '') {
      return Promise.reject(new JobError('FULL', `${shown} takes nothing: ${this.blocked}`))
    }
    const messageId = String(++this.#serial)
    const sent = new Promise<boolean>((resolve, reject) => {
      const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
      const all = { ...options, messageId, persistent: true, mandatory: true }
      this.channel.publish(exchange, key, bytes, all, (refused) => {
        if (!this.#returned.delete(messageId))
          return resolve(refused === null || refused === undefined)
        this.#declared.clear()
        reject(new JobError('UNAVAILABLE', `${shown}: a queue was deleted while it was used`))
      })
    })
    return this.guard(sent)
  }

  get(queue: string): Promise<GetMessage | false> {
    return this.guard(this.channel.get(queue))
  }

  /** What `work` brings, or why it cannot any more. */
  guard<Value>(work: Promise<Value>): Promise<Value> {
    const { shown } = this.address
    return new Promise((resolve, reject) => {
      if (this.lost !== '') {
        work.catch(() => {})
        return reject(new SessionLost(shown))
      }
      const timer = setTimeout(() => {
        const reason = this.blocked === '' ? 'does not answer' : `takes nothing: ${this.blocked}`
        fail(new JobError(this.blocked === '' ? 'UNAVAILABLE' : 'FULL', `${shown} ${reason}`))
      }, CONFIRM_MS)
      const over = (): void => {
        clearTimeout(timer)
        this.#fail.delete(fail)
      }
      const fail = (error: Error): void => {
        over()
        reject(error)
      }
      this.#fail.add(fail)
      work.then(
        (value) => {
          over()
          resolve(value)
        },
        (error: unknown) => fail(error instanceof JobError ? error : new SessionLost(shown, error)),
      )
    })
  }

  async close(): Promise<void> {
    this.lost ||= 'closed by us'
    for (const fail of [...this.#fail]) fail(new SessionLost(this.address.shown))
    // The channel first: else the last acknowledgements would stay behind.
    await this.channel.close().catch(() => {})
    await this.model.close().catch(() => {})
  }
}
