/** The same bytes to this server and to node:http: every difference must have its reason. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { explain, type OwnOpinion } from './differences.ts'
import { requests } from './grammar.ts'
import { NodePeer } from './node-peer.ts'
import { Bench } from './outcome.ts'

/** About four seconds. More, to look for more: `FUZZ_RUNS`; the same again: `FUZZ_SEED`. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 5000)
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000_007)

const peer = new NodePeer()
const bench = new Bench('now')

beforeAll(() => peer.listen())
afterAll(() => {
  peer.close()
  bench.close()
})

async function own(bytes: Buffer): Promise<OwnOpinion> {
  const { requests: seen, statuses, last } = await bench.run([bytes], true)
  return {
    served: seen.map(({ line, fields, body }) => {
      const [method, target, version] = line.split(' ')
      return { method: method!, target: target!, version: version!.slice(5), fields, body }
    }),
    refused: statuses.some((status) => status >= 400),
    reason: last.split('\n')[1] ?? '',
    itself: statuses.includes(204),
  }
}

async function difference(text: string): Promise<string | null> {
  const bytes = Buffer.from(text, 'latin1')
  const [ours, theirs] = [await own(bytes), await peer.judge(bytes)]
  try {
    return await explain(text, ours, theirs, difference)
  } catch (error) {
    throw new Error(
      `${error instanceof Error ? error.message : error}\n${JSON.stringify({ text, ours, theirs }, null, 1)}`,
    )
  }
}

test(`${RUNS} requests, seed ${SEED}`, async () => {
  const found = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(requests, async (text) => {
      const why = await difference(text)
      if (why !== null) found.set(why, (found.get(why) ?? 0) + 1)
    }),
    { numRuns: RUNS, seed: SEED, endOnFailure: false },
  )
  // The generator is of use only as long as it finds what they are known to differ about.
  expect(found.size).toBeGreaterThan(5)
}, 300_000)
