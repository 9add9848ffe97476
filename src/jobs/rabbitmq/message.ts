/** A job as a message: its payload is the body, the rest are headers. */
import type { Message, Options } from 'amqplib'
import type { Job } from '../engine.ts'
import { decodeHead, encodeHead } from '../head.ts'

/** A head is far smaller; what is longer than this is none of ours, characters. */
const LONGEST_ERROR = 65_536

export function optionsOf(job: Job, error: string): Options.Publish {
  const headers = {
    job: encodeHead(job),
    attempts: job.attempts,
    error: error.slice(0, LONGEST_ERROR),
    died: error === '' ? 0 : Date.now(),
  }
  return {
    headers,
    priority: job.priority,
    type: 'portico.job',
    contentType: 'application/octet-stream',
  }
}

/** Null: none of ours. */
export function jobOf(message: Message): { job: Job; error: string; diedAt: number } | null {
  const { job: head, attempts, error, died } = message.properties.headers ?? {}
  if (typeof head !== 'string' || !Number.isSafeInteger(attempts)) return null
  const job = decodeHead(head, message.content, Number(attempts))
  if (job === null) return null
  return { job, error: typeof error === 'string' ? error : '', diedAt: Number(died) || 0 }
}
