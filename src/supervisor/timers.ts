/** Waiting, with a bound and with a way out. */
import { setTimeout as sleep } from 'node:timers/promises'

/** Resolves after `ms`; rejects with the signal's reason when aborted before. */
export async function delay(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal })
  } catch (error) {
    throw signal?.aborted ? signal.reason : error
  }
}

/** Whether `promise` settled within `ms`. */
export async function settledWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const done = new AbortController()
  try {
    return await Promise.race([
      promise.then(
        () => true,
        () => true,
      ),
      sleep(ms, false, { signal: done.signal }),
    ])
  } finally {
    done.abort()
  }
}

/** `promise`, or a rejection with the signal's reason once that is aborted. */
export async function orAborted<Value>(
  promise: Promise<Value>,
  signal: AbortSignal,
): Promise<Value> {
  signal.throwIfAborted()
  let abort: (() => void) | undefined
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_resolve, reject) => {
        abort = () => reject(signal.reason)
        signal.addEventListener('abort', abort)
      }),
    ])
  } finally {
    if (abort !== undefined) signal.removeEventListener('abort', abort)
  }
}
