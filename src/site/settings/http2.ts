/** `http2`: bounds on connections over HTTP/2. */
import { USUAL_HTTP2 } from '../http2-plan.ts'
import { type Count, count, type Section, section } from '../setting-types.ts'

const http2 = {
  streams: count(
    USUAL_HTTP2.streams,
    1,
    10_000,
    'Requests of one connection that may be open at once; more are refused, and asked again by browsers.',
  ) as Count,
  requests: count(
    USUAL_HTTP2.requests,
    1,
    1_000_000_000,
    'Requests of one connection; after that its visitor opens a new one.',
  ) as Count,
}

export type Http2Type = Section<typeof http2>

export function http2Type(): Http2Type {
  return section(http2, 'Bounds on connections over HTTP/2. See [http2.md](http2.md).')
}
