/** A thread that does nothing but hash passwords: 50 ms and more for each would hold up a server thread. */
import { parentPort } from 'node:worker_threads'
import { verify } from './verify.ts'

export interface Question {
  readonly id: number
  readonly password: string
  readonly hash: string
}

export interface Verdict {
  readonly id: number
  readonly right: boolean
}

parentPort?.on('message', ({ id, password, hash }: Question) => {
  parentPort?.postMessage({ id, right: verify(password, hash) } satisfies Verdict)
})
