/** The line in which requests wait for a place: its order, its bounds, and that no place is lost. */
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { ANY, Places, placesCells } from '../../src/balance/places.ts'
import { until } from '../transports/backends.ts'
import type { QueueThread } from './queue-thread.ts'

function cells(count: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(count * 4))
}

const line = (size: number): Places => new Places(cells(placesCells(size)), size)

describe('a line', () => {
  it('is served in its order', async () => {
    const places = line(10)
    const seen: string[] = []
    for (const name of 'abcde') places.wait(5_000, (place) => seen.push(`${name}${place}`))
    expect(places.depth).toBe(5)
    for (let place = 0; place < 5; place++) expect(places.grant(place)).toBe(true)
    expect([places.grant(9), places.depth]).toEqual([false, 0])
    await until(() => seen.length === 5)
    expect(seen).toEqual(['a0', 'b1', 'c2', 'd3', 'e4'])
  })

  it('takes no more than it has room for', async () => {
    const places = line(3)
    const seen: number[] = []
    for (let i = 0; i < 3; i++) expect(places.wait(50, (place) => seen.push(place))).not.toBe(null)
    expect(places.wait(50, () => {})).toBe(null)
    await until(() => seen.length === 3)
    expect([seen, places.depth]).toEqual([[-1, -1, -1], 0])
    expect(places.wait(1, () => {})).not.toBe(null)
  })

  it('is left by who gives up, and the others move up', async () => {
    const places = line(4)
    const seen: string[] = []
    const tickets = [...'abcd'].map((name) =>
      places.wait(5_000, (place) => seen.push(`${name}${place}`)),
    )
    tickets[0]!.leave()
    tickets[2]!.leave()
    await until(() => seen.length === 2)
    expect([seen, places.depth]).toEqual([['a-1', 'c-1'], 2])
    places.grant(7)
    places.grant(8)
    await until(() => seen.length === 4)
    expect(seen.slice(2)).toEqual(['b7', 'd8'])
  })

  it('tells who gives up too late of the place that it has', async () => {
    const places = line(4)
    let got = -2
    const ticket = places.wait(5_000, (place) => {
      got = place
    })
    places.grant(3)
    ticket!.leave()
    await until(() => got !== -2)
    expect(got).toBe(3)
  })

  it('goes on for ever while the first in it stays, and others come and go', async () => {
    const places = line(8)
    let first = -2
    places.wait(20_000, (place) => {
      first = place
    })
    let over = 0
    for (let i = 0; i < 15; i++) {
      const ticket = places.wait(20_000, () => over++)
      ticket?.leave()
      if (ticket === null) over++
      await until(() => over === i + 1)
    }
    places.grant(5)
    await until(() => first === 5)
    // Those that left are out of the way now.
    const seen: number[] = []
    for (let i = 0; i < 8; i++) places.wait(1_000, (place) => seen.push(place))
    for (let i = 0; i < 8; i++) places.grant(i)
    await until(() => seen.length === 8)
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })
})

it('over threads no place is lost, and none is given twice', async () => {
  const [size, threads, rounds, free] = [6, 3, 1_500, 4]
  const data: Omit<QueueThread, 'thread'> = {
    queue: cells(placesCells(size)),
    size,
    held: cells(free),
    counts: cells(3),
    rounds,
  }
  const workers = Array.from(
    { length: threads },
    (_, thread) =>
      new Worker(new URL('./queue-thread.ts', import.meta.url), {
        workerData: { ...data, thread },
      }),
  )
  const places = new Places(data.queue, size)
  const over = Promise.all(
    workers.map((worker) => new Promise((done) => worker.once('message', done))),
  )
  for (let place = 0; place < free; place++) {
    const hand = (): void => {
      if (!places.grant(place)) setTimeout(hand, 1)
    }
    hand()
  }
  await over
  const [served = 0, inVain = 0, twice] = data.counts
  expect(twice).toBe(0)
  expect(served).toBeGreaterThan(1_000)
  expect(inVain).toBeGreaterThan(0)
  for (const worker of workers) worker.postMessage('end')
})

it('who waits for a place of a kind is passed by others, and passes nobody', async () => {
  const places = line(10)
  const seen: string[] = []
  const wait = (name: string, kind: number): void => {
    places.wait(5_000, (place) => seen.push(`${name}${place}`), kind)
  }
  wait('a', 2)
  wait('b', ANY)
  wait('c', 1)
  wait('d', 2)
  wait('e', ANY)
  expect([places.grant(10, 1), places.grant(11, 1), places.grant(12, 1)]).toEqual([
    true,
    true,
    true,
  ])
  expect([places.grant(13, 1), places.depth]).toEqual([false, 2])
  expect([places.grant(20, 2), places.grant(21, 2), places.grant(22, 2)]).toEqual([
    true,
    true,
    false,
  ])
  await until(() => seen.length === 5)
  expect(seen.toSorted()).toEqual(['a20', 'b10', 'c11', 'd21', 'e12'])
  // All seats are free again.
  for (let round = 0; round < 10; round++) {
    const before = seen.length
    for (let i = 0; i < 10; i++) wait('x', i % 3)
    for (const kind of [2, 1, 0, 1, 2, 1, 2, 1, 2, 1]) places.grant(1, kind)
    for (let i = 0; i < 10; i++) places.grant(1, 1 + (i % 2))
    await until(() => seen.length === before + 10)
    expect(places.depth).toBe(0)
  }
})
