/** What our queues and exchanges are called, and how they are declared. */
import { createHash } from 'node:crypto'
import type { Options } from 'amqplib'
import { HIGHEST_PRIORITY } from '../engine.ts'

/** Delays below 2^FIRST_LEVEL ms are waited for in the process that has the job in hand. */
export const FIRST_LEVEL = 4
/** 2^31 ms are 24 days; longer delays go round again. */
const LAST_LEVEL = 31
/** A key is remembered for so long, should its job never begin, ms. */
const KEY_MS = 86_400_000
/** What other machines have to tell waits for one that is away for so long, ms. */
const NEWS_MS = 86_400_000

export interface Names {
  /** Routes a job to the queue that its routing key names. */
  readonly jobs: string
  readonly news: string
  queue(name: string): string
  dead(name: string): string
  /** Of both an exchange and the queue bound to it. */
  delay(level: number): string
  key(queue: string, key: string): string
  newsOf(machine: string): string
}

export function namesFor(prefix: string): Names {
  return {
    jobs: `${prefix}.jobs`,
    news: `${prefix}.news`,
    queue: (name) => `${prefix}.queue.${name}`,
    dead: (name) => `${prefix}.dead.${name}`,
    delay: (level) => `${prefix}.delay.${level}`,
    key: (queue, key) => `${prefix}.key.${hash(`${queue}\0${key}`)}`,
    newsOf: (machine) => `${prefix}.news.${machine}`,
  }
}

export function hash(text: string): string {
  return createHash('sha1').update(text).digest('hex')
}

/** `quorum` queues are on several machines of a cluster and know no priorities (before RabbitMQ 4). */
export function jobQueue(quorum: boolean): Options.AssertQueue {
  return {
    durable: true,
    arguments: quorum ? { 'x-queue-type': 'quorum' } : { 'x-max-priority': HIGHEST_PRIORITY },
  }
}

/**
 * A job waits 2^level ms here, then goes on to its queue: never lost on the way, which is why this is a
 * quorum queue (RabbitMQ 3.10: at-least-once dead-lettering).
 */
export function delayQueue(level: number, names: Names): Options.AssertQueue {
  return {
    durable: true,
    arguments: {
      'x-queue-type': 'quorum',
      'x-message-ttl': 2 ** level,
      'x-dead-letter-exchange': names.jobs,
      'x-dead-letter-strategy': 'at-least-once',
      'x-overflow': 'reject-publish',
    },
  }
}

/** The longest level that is not longer than `ms`. */
export function levelFor(ms: number): number {
  return Math.min(LAST_LEVEL, Math.max(FIRST_LEVEL, Math.floor(Math.log2(ms))))
}

/** Holds one message, which stands for the job that waits under the key; a second one is refused. */
export const keyQueue: Options.AssertQueue = {
  durable: true,
  arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish', 'x-expires': KEY_MS },
}

export const newsQueue: Options.AssertQueue = {
  durable: true,
  arguments: { 'x-expires': NEWS_MS, 'x-message-ttl': NEWS_MS },
}
