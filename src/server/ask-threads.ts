/** Asks every thread which requests it has in hand, and waits no longer than for those that answer in time. */
import type { FromThread, ToThread } from './messages.ts'
import type { RouteName } from './numbers.ts'
import type { RequestsInHand } from './protocol.ts'

/** A thread that is busy for longer has nothing to say this time, ms. */
const PATIENCE_MS = 500

type Answer = Extract<FromThread, { type: 'requests' }>

interface Question {
  readonly most: number
  readonly answers: Answer[]
  readonly timer: NodeJS.Timeout
  readonly done: (requests: RequestsInHand) => void
}

export class RequestsAsker {
  readonly #threads: number
  readonly #send: (message: ToThread) => void
  readonly #names: readonly RouteName[]
  readonly #questions = new Map<number, Question>()
  #asks = 0

  constructor(threads: number, names: readonly RouteName[], send: (message: ToThread) => void) {
    this.#threads = threads
    this.#names = names
    this.#send = send
  }

  ask(most: number, done: (requests: RequestsInHand) => void): void {
    const ask = ++this.#asks
    const timer = setTimeout(() => this.#finish(ask), PATIENCE_MS)
    this.#questions.set(ask, { most, answers: [], timer, done })
    this.#send({ type: 'requests', ask, most })
  }

  heard(answer: Answer): void {
    const question = this.#questions.get(answer.ask)
    if (question === undefined) return
    question.answers.push(answer)
    if (question.answers.length === this.#threads) this.#finish(answer.ask)
  }

  #finish(ask: number): void {
    const question = this.#questions.get(ask)
    if (question === undefined) return
    this.#questions.delete(ask)
    clearTimeout(question.timer)
    const { answers, most, done } = question
    const requests = answers
      .flatMap((answer) => answer.requests)
      .sort((a, b) => b.ageMs - a.ageMs)
      .slice(0, most)
      .map(({ route, ...request }) => {
        const { host, path, app } = this.#names[route] ?? this.#names[0]!
        return { ...request, route: { host, path }, app }
      })
    done({ total: answers.reduce((sum, { total }) => sum + total, 0), requests })
  }
}
