/**
 * The visitors of a soak: each answer is checked, and what became of each request is written to a file:
 * its status as 16 bits at its number, 0 where no answer came.
 */
import { writeFileSync } from 'node:fs'
import { Load } from '../../test/flows/support/load.ts'
import { asked, requestText, wrongAnswer } from '../soak/requests.ts'
import { onFinish, options, ready, result } from './control.ts'

export interface SoakingOptions {
  readonly port: number
  /** Visitors that keep their connections, and visitors that open one for each request. */
  readonly kept: number
  readonly fresh: number
  /** Between an answer and the next request of the same visitor that keeps its connection, ms. */
  readonly pauseMs: number
  /** Where the statuses go. */
  readonly file: string
}

/** An answer that is not 200, and when it was waited for: ms since the epoch. */
export interface Odd {
  readonly n: number
  readonly status: number
  readonly from: number
  readonly to: number
}

export interface Soaked {
  readonly sent: number
  readonly answered: number
  readonly connections: number
  /** What became of each request without an answer. */
  readonly lost: readonly string[]
  readonly odd: readonly Odd[]
  /** Answers 200 with another body than they should have. */
  readonly wrong: readonly string[]
  /** Longest wait for an answer, ms; of those that do not sleep. */
  readonly longestMs: number
}

const { port, kept, fresh, pauseMs, file } = options<SoakingOptions>()

let statuses = new Uint16Array(1 << 20)
const since = new Map<number, number>()
const odd: Odd[] = []
const wrong: string[] = []
let longestMs = 0

const load = new Load(port, {
  kept,
  fresh,
  pauseMs,
  request: (n) => {
    since.set(n, Date.now())
    return requestText(n)
  },
  answered: (n, status, body) => {
    if (n >= statuses.length) {
      const longer = new Uint16Array(statuses.length * 2)
      longer.set(statuses)
      statuses = longer
    }
    statuses[n] = status
    const from = since.get(n) ?? 0
    since.delete(n)
    if (!asked(n).sleeps) longestMs = Math.max(longestMs, Date.now() - from)
    if (status !== 200) return void odd.push({ n, status, from, to: Date.now() })
    const why = wrongAnswer(n, body)
    if (why !== '') wrong.push(why)
  },
})
ready()

onFinish(() => {
  void load.stop().then(({ sent, answered, connections, lost }) => {
    writeFileSync(file, new Uint8Array(statuses.buffer, 0, sent * 2))
    const soaked: Soaked = { sent, answered, connections, lost, odd, wrong, longestMs }
    result(soaked)
  })
})
