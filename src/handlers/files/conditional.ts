/** Preconditions in the order of RFC 9110 §13.2.2. Pure. */
import { parseHttpDate } from '../../wire/http-date.ts'
import type { Asked } from './asked.ts'

/** What preconditions are compared with. */
export interface Validators {
  /** With its quotes, and `W/` when it is weak. */
  readonly etag: string
  /** Seconds since 1970. */
  readonly modified: number
}

/** `whole`: go on without Range. */
export type Verdict = 'send' | 'whole' | 'not-modified' | 'failed'

/** Judges a GET or HEAD request. */
export function judge(asked: Asked, current: Validators): Verdict {
  if (asked.ifMatch !== null) {
    if (!matches(asked.ifMatch, current.etag, true)) return 'failed'
  } else if (asked.ifUnmodifiedSince !== null) {
    const date = parseHttpDate(asked.ifUnmodifiedSince)
    if (date >= 0 && current.modified > date) return 'failed'
  }
  if (asked.ifNoneMatch !== null) {
    if (matches(asked.ifNoneMatch, current.etag, false)) return 'not-modified'
  } else if (asked.ifModifiedSince !== null) {
    const date = parseHttpDate(asked.ifModifiedSince)
    if (date >= 0 && current.modified <= date) return 'not-modified'
  }
  if (asked.ifRange !== null && !rangeHolds(asked.ifRange, current)) return 'whole'
  return 'send'
}

/** `*` or a list of entity tags. `strong`: weak tags match nothing (§8.8.3.2). */
function matches(list: string, etag: string, strong: boolean): boolean {
  // What nearly every browser sends: the one tag that we gave it.
  if (list === etag) return !strong || !isWeak(etag)
  if (list.trim() === '*') return true
  if (strong && isWeak(etag)) return false
  const opaque = isWeak(etag) ? etag.slice(2) : etag
  for (const [tag] of list.matchAll(/(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g)) {
    if (tag === opaque) return true
    if (!strong && isWeak(tag) && tag.slice(2) === opaque) return true
  }
  return false
}

/** §13.1.5: one tag, strongly compared, or a date that is exactly Last-Modified. */
function rangeHolds(value: string, current: Validators): boolean {
  if (value.startsWith('"')) return value === current.etag
  if (value.startsWith('W/')) return false
  // A date is no strong validator for what was modified within its second (§8.8.2.2).
  return parseHttpDate(value) === current.modified && !isWeak(current.etag)
}

function isWeak(etag: string): boolean {
  return etag.startsWith('W/')
}
