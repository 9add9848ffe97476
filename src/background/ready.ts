/** Whether somebody listens where a daemon is to be. */
import { connect, type NetConnectOpts } from 'node:net'
import type { ReadyPlan } from '../site/background-plan.ts'

const PROBE_TIMEOUT_MS = 1_000

export type ProbedPlan = Extract<ReadyPlan, { kind: 'tcp' | 'unix' }>

export function answersAt(ready: ProbedPlan): Promise<boolean> {
  const where: NetConnectOpts =
    ready.kind === 'unix' ? { path: ready.path } : { host: ready.host, port: ready.port }
  return new Promise((resolve) => {
    const connection = connect(where)
    const done = (answers: boolean): void => {
      connection.destroy()
      resolve(answers)
    }
    connection.setTimeout(PROBE_TIMEOUT_MS, () => done(false))
    connection.on('connect', () => done(true))
    connection.on('error', () => done(false))
  })
}
