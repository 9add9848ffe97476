/** HTTP/2 in the Plan. */

export interface Http2Plan {
  /** Requests of one connection that may be open at once. */
  readonly streams: number
  /** Requests of one connection after which a new one is asked for. */
  readonly requests: number
}

/** Where a site says nothing of it. */
export const USUAL_HTTP2: Http2Plan = { streams: 128, requests: 1_000_000 }
