/**
 * The traceparent field (W3C Trace Context, level 1): which trace a request belongs to. Pure.
 *
 *     00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
 *     version, trace-id, parent-id, trace-flags
 */

export interface TraceParent {
  /** 32 lower-case hex digits, not all 0. */
  readonly traceId: string
  /** The caller's own part of the trace: 16 of them. */
  readonly parentId: string
  /** The caller may have recorded it. */
  readonly sampled: boolean
}

/** §3.2.2.3: the length of version 00; later ones may have more behind another `-`. */
const LENGTH = 55
const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/
const NO_TRACE = '0'.repeat(32)
const NO_PARENT = '0'.repeat(16)
const SAMPLED = 1

/** Null for what is none: the trace then begins anew (§3.2.2, §4.3). */
export function parseTraceparent(text: string): TraceParent | null {
  const match = FORM.exec(text.slice(0, LENGTH))
  if (match === null) return null
  const [, version = '', traceId = '', parentId = '', flags = ''] = match
  // §3.2.2.1: ff is no version; of a later one what we know of 00 is read (§4.3).
  if (version === 'ff') return null
  if (text.length > LENGTH && (version === '00' || text[LENGTH] !== '-')) return null
  if (traceId === NO_TRACE || parentId === NO_PARENT) return null
  return { traceId, parentId, sampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 }
}

/** Always of version 00, with the one flag that this version has (§3.2.2.5.2). */
export function formatTraceparent({ traceId, parentId, sampled }: TraceParent): string {
  return `00-${traceId}-${parentId}-${sampled ? '01' : '00'}`
}

/** A request id that may be taken over: no blank, nothing that a log or a shell could stumble over. */
export function isRequestId(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._~+/=:@-]{0,127}$/.test(text)
}
