/** What a fetch handler needs of a request and its answer: an Exchange has it, and so has a worker's end of the link. */
import type { BodySink, Exchange } from '../request/exchange.ts'
import type { FieldList } from '../wire/fields.ts'

/** The carrier of one call; every member means what it means in Exchange. */
export interface FetchExchange
  extends Pick<
    Exchange,
    'answered' | 'gone' | 'onGone' | 'onDrain' | 'respond' | 'start' | 'write' | 'end' | 'fail'
  > {
  readonly line: {
    readonly method: string
    readonly origin: string
    /** Of an absolute target, else '' and -1. */
    readonly host: string
    readonly hostPort: number
  }
  readonly fields: FieldList & { readonly chunked: boolean; readonly contentLength: number }
  /** The name of the request; null or absent: requests have none. */
  readonly trace?: { readonly traceparent: string; readonly id: string } | null
  readonly peer: {
    readonly address: string
    readonly port: number
    readonly localAddress: string
    readonly localPort: number
    readonly scheme: string
  }
  receive(sink: BodySink): void
  resume(): void
}
