/** A thread that waits for places, holds each for a moment and gives it to the next. */
import { parentPort, workerData } from 'node:worker_threads'
import { Places } from '../../src/balance/places.ts'

export interface QueueThread {
  readonly queue: Int32Array<SharedArrayBuffer>
  readonly size: number
  /** Of each place, who has it: thread + 1. */
  readonly held: Int32Array<SharedArrayBuffer>
  /** Counts those that were served, those in vain, and places that two had at once. */
  readonly counts: Int32Array<SharedArrayBuffer>
  readonly rounds: number
  readonly thread: number
}

const { queue, size, held, counts, rounds, thread }: QueueThread = workerData
const places = new Places(queue, size)
let left = rounds

function next(): void {
  if (left-- <= 0) return done()
  const impatient = left % 7 === 0
  const ticket = places.wait(impatient ? 1 + (left % 3) : 5_000, (place) => {
    if (place < 0) {
      Atomics.add(counts, 1, 1)
      return next()
    }
    if (Atomics.exchange(held, place, thread + 1) !== 0) Atomics.add(counts, 2, 1)
    setImmediate(() => {
      Atomics.store(held, place, 0)
      Atomics.add(counts, 0, 1)
      pass(place)
      next()
    })
  })
  if (ticket === null) {
    left++
    setImmediate(next)
  } else if (left % 11 === 0) setImmediate(() => ticket.leave())
}

/** As long as nobody waits, somebody will. */
function pass(place: number): void {
  if (!places.grant(place)) setTimeout(() => pass(place), 1)
}

let over = 0
const visitors = 8

function done(): void {
  if (++over === visitors) parentPort!.postMessage('over')
}

for (let i = 0; i < visitors; i++) next()
parentPort!.on('message', () => process.exit(0))
