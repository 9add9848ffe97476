/**
 * Answers with an application. Workers that take bodies in pieces get a request as soon as they have a
 * place for it; for the others its body is gathered first.
 */
import { PorticoError } from '../errors.ts'
import { type AppRoute, USUAL_ROUTE } from '../request/app-route.ts'
import { EMPTY_BODY, gatherBody } from '../request/body.ts'
import { clock } from '../request/clock.ts'
import type { AnswerHead, Exchange, Handler } from '../request/exchange.ts'
import { Bridge } from '../transports/worker-link/bridge.ts'
import type { Dispatch } from '../transports/worker-link/dispatch.ts'
import { Job } from '../transports/worker-link/job.ts'
import { asksForWebSocket, readHandshake, WEBSOCKET_VERSION } from '../wire/websocket-handshake.ts'

/** RFC 6455 §4.4: which version we speak. */
const OTHER_VERSION: AnswerHead = {
  status: 426,
  reason: '',
  fields: `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: ${WEBSOCKET_VERSION}\r\nContent-Type: text/plain\r\n`,
  has: 0,
}
const OTHER_VERSION_TEXT = Buffer.from(`WebSocket version ${WEBSOCKET_VERSION} is spoken here\n`)

/** `spool`: the folder for request bodies too large for memory. */
export function app(dispatch: Dispatch, spool: string, route: AppRoute = USUAL_ROUTE): Handler {
  const { deadlines, urgent } = route
  const submit = (job: Job): void => {
    job.deadlines = deadlines
    job.urgent = urgent
    dispatch.submit(job)
  }
  return {
    name: 'app',
    handle(exchange: Exchange): void {
      const { fields } = exchange
      if (fields.upgrade !== '' && dispatch.takes !== 'whole' && asksForWebSocket(fields)) {
        return openWebSocket(exchange, dispatch, submit)
      }
      if (!fields.chunked && fields.contentLength === 0) {
        return submit(new Job(exchange, EMPTY_BODY, clock.now))
      }
      if (dispatch.takes === 'streams') return submit(new Job(exchange, null, clock.now))
      gatherBody(
        exchange,
        spool,
        (body) => submit(new Job(exchange, body, clock.now)),
        () => {},
      )
    },
  }
}

function openWebSocket(exchange: Exchange, dispatch: Dispatch, submit: (job: Job) => void): void {
  // It would hold up the end of this server, or be cut at once.
  if (dispatch.draining) return exchange.fail(new PorticoError('STOPPING'))
  if (exchange.canUpgrade !== true) return exchange.fail(new PorticoError('NO_WEBSOCKET'))
  const handshake = readHandshake(exchange.line, exchange.fields)
  if (!handshake.right) {
    if (handshake.wrong === 'version') return exchange.respond(OTHER_VERSION, OTHER_VERSION_TEXT)
    return exchange.fail(new PorticoError('BAD_WEBSOCKET', handshake.why))
  }
  const job = new Job(exchange, EMPTY_BODY, clock.now)
  job.offer(new Bridge(job, handshake.key))
  submit(job)
}
