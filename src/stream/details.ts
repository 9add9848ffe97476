/** What is told of listeners without HTTP: sums over threads, and over generations. */
import type { SitePlan } from '../site/plan.ts'
import { StreamCounts, type StreamNumbers } from './counts.ts'

export interface StreamDetails extends StreamNumbers {
  /** As the owner wrote it. */
  readonly listener: string
  readonly protocol: string
}

/** Of every listener of `plan` that carries no requests. */
export function readStreams(plan: SitePlan, memory: SharedArrayBuffer): StreamDetails[] {
  return plan.listeners.flatMap(({ name, scheme, stream, mail }, index) =>
    stream === undefined && mail === undefined
      ? []
      : [{ listener: name, protocol: scheme, ...StreamCounts.read(memory, index, plan.threads) }],
  )
}

/** Listeners of one name are told together. */
export function addStreams(
  one: readonly StreamDetails[],
  other: readonly StreamDetails[],
): StreamDetails[] {
  const all = new Map<string, StreamDetails>()
  for (const details of [...one, ...other]) {
    const known = all.get(details.listener)
    all.set(details.listener, known === undefined ? details : sum(known, details))
  }
  return [...all.values()]
}

/** What remains when a process is gone: what it counted, not what it held. */
export function endedStreams(streams: readonly StreamDetails[]): StreamDetails[] {
  return streams.map((details) => ({ ...details, open: 0 }))
}

function sum(one: StreamDetails, other: StreamDetails): StreamDetails {
  return {
    listener: other.listener,
    protocol: other.protocol,
    open: one.open + other.open,
    accepted: one.accepted + other.accepted,
    refused: one.refused + other.refused,
    failed: one.failed + other.failed,
    received: one.received + other.received,
    sent: one.sent + other.sent,
  }
}
