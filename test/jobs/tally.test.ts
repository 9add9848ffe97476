import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { QueueFacts } from '../../src/jobs/engine.ts'
import { Tally } from '../../src/jobs/tally.ts'

const mail = (waiting: number): QueueFacts => ({
  ...{ queue: 'mail', waiting, delayed: 0, running: 0, dead: 0, oldestAt: 0 },
})

it('is taken anew once it is old, and by one of those who ask', async () => {
  let asked = 0
  const tally = new Tally(async () => [mail(++asked)])
  const all = await Promise.all([tally.latest(), tally.latest(), tally.latest()])
  expect(all.map(([queue]) => queue?.waiting)).toEqual([1, 1, 1])
  expect(await tally.latest()).toEqual([mail(1)])
  await sleep(1_010)
  expect(await tally.latest()).toEqual([mail(2)])
})

it('tells what it knows when counting takes long or fails, and counts less often then', async () => {
  let asked = 0
  const tally = new Tally(async () => {
    asked += 1
    if (asked === 1) return [mail(1)]
    if (asked === 2) throw new Error('the broker is away')
    await sleep(500)
    return [mail(asked)]
  })
  expect(await tally.latest()).toEqual([mail(1)])
  await sleep(1_010)
  expect(await tally.latest()).toEqual([mail(1)])
  await sleep(1_010)
  const began = performance.now()
  expect(await tally.latest()).toEqual([mail(1)])
  expect(performance.now() - began).toBeLessThan(450)
  await sleep(300)
  expect(await tally.latest()).toEqual([mail(3)])
  // It took half a second: not again within ten.
  await sleep(1_010)
  expect([await tally.latest(), asked]).toEqual([[mail(3)], 3])
})

it('names no more queues than anybody could look at', async () => {
  const many = Array.from({ length: 2_000 }, (_, i) => ({ ...mail(1), queue: `q${i}` }))
  expect(await new Tally(async () => many).latest()).toHaveLength(1_000)
})
