/** The same corpus over real sockets, where the kernel has its say in what is read at once. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type InvalidCase, invalidCases, type ValidCase, validCases } from './cases.ts'
import { cutAt } from './outcome.ts'
import { Recorder } from './recorder.ts'
import { type ListeningSite, listeningSite } from './site.ts'
import { sleep, until, Visitor } from './visitor.ts'

const recorder = new Recorder('now')
const methods: string[] = []
let site: ListeningSite

beforeAll(async () => {
  site = await listeningSite({
    routes: { '/': recorder },
    onBegin: (method) => methods.push(method),
  })
})

afterAll(() => site.close())

/** Whole, in two halves, and with the last and the first bytes alone; each piece is read by itself. */
function ways(bytes: Buffer): Buffer[][] {
  const half = Math.floor(bytes.length / 2)
  return [[bytes], cutAt(bytes, [half]), cutAt(bytes, [1, bytes.length - 1])]
}

async function say(pieces: readonly Buffer[]): Promise<Visitor> {
  recorder.seen.length = 0
  methods.length = 0
  const visitor = await Visitor.at(site.port)
  for (const piece of pieces) {
    if (piece !== pieces[0]) await sleep(2)
    visitor.send(piece)
  }
  return visitor
}

describe('valid', () => {
  test.for(validCases())('$name', async (one: ValidCase) => {
    for (const pieces of ways(one.bytes)) {
      const visitor = await say(pieces)
      const answers = await visitor.answers(one.statuses.length, methods)
      expect(answers.map(({ status }) => status)).toEqual(one.statuses)
      expect(recorder.seen).toEqual(one.requests)
      if (one.closes) await visitor.serverEnd()
      else expect(visitor.ended).toBe(false)
      visitor.leave()
    }
  })
})

describe('invalid', () => {
  test.for(invalidCases())('$name', async (one: InvalidCase) => {
    for (const pieces of ways(one.bytes)) {
      const visitor = await say(pieces)
      await visitor.serverEnd()
      const answers = await visitor.answers(one.after + 1, methods)
      expect(answers.at(-1)).toMatchObject({ status: one.status })
      expect(answers.length).toBe(one.after + 1)
      expect(recorder.seen.length).toBe(one.after)
      visitor.end()
      await visitor.gone()
      expect(visitor.broken).toBe('')
    }
  })
})

test('no connection is left over', () => until(() => site.totals().open === 0))
