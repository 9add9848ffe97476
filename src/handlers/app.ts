/** Answers with an application: gathers the request's body, then waits for one of its workers. */
import { gatherBody } from '../request/body.ts'
import { clock } from '../request/clock.ts'
import type { Exchange, Handler } from '../request/exchange.ts'
import type { Dispatch } from '../transports/worker-link/dispatch.ts'
import { Job } from '../transports/worker-link/job.ts'

/** `spool`: the folder for request bodies too large for memory. */
export function app(dispatch: Dispatch, spool: string): Handler {
  return {
    name: 'app',
    handle(exchange: Exchange): void {
      gatherBody(
        exchange,
        spool,
        (body) => dispatch.submit(new Job(exchange, body, clock.now)),
        () => {},
      )
    },
  }
}
