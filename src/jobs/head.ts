/** The small facts of a job as one text, for engines that keep them beside the payload. */
import type { Job } from './engine.ts'

type Head = Omit<Job, 'payload' | 'attempts'>

export function encodeHead(job: Job): string {
  const { id, queue, name, priority, putAt, dueAt, maxAttempts } = job
  const { backoffMs, deadlineMs, keepMs, key } = job
  const head: Head = {
    ...{ id, queue, name, priority, putAt, dueAt, maxAttempts },
    ...{ backoffMs, deadlineMs, keepMs, key },
  }
  return JSON.stringify(head)
}

/** Null: not one of ours. */
export function decodeHead(text: string, payload: Uint8Array, attempts: number): Job | null {
  let head: Partial<Record<keyof Head, unknown>>
  try {
    head = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof head !== 'object' || head === null) return null
  const words = ['id', 'queue', 'name', 'key'] as const
  const numbers = [
    ...(['priority', 'putAt', 'dueAt', 'maxAttempts'] as const),
    ...(['backoffMs', 'deadlineMs', 'keepMs'] as const),
  ]
  if (words.some((word) => typeof head[word] !== 'string')) return null
  if (numbers.some((word) => !Number.isSafeInteger(head[word]))) return null
  return { ...(head as Head), payload, attempts }
}
