/** A file as it is sent: its validators, the heads of its answers made once, and its bytes if few. */
import { closeSync, fstatSync, readSync, type Stats } from 'node:fs'
import type { AnswerHead } from '../../request/exchange.ts'
import { formatHttpDate } from '../../wire/http-date.ts'
import { nativePath } from './byte-path.ts'
import { openInside, sameFile } from './inspect.ts'

/**
 * Files up to this size are read at once and may be kept in memory, bytes: what most scripts, styles and
 * pictures of a page stay below. (100 KB at 32 connections: 31–35k requests/s so, 8k when read in blocks.)
 */
export const SMALL = 262_144

/**
 * Clocks of file systems tick in up to 2 s: a file changed so recently may change again without a
 * trace in its metadata, so it is not remembered and its ETag is a weak one (RFC 9110 §8.8.1).
 */
const SETTLED_MS = 2000

/** Tries to read a file that changes while it is being read. */
const TRIES = 3

export interface Representation {
  /** What `stat` is asked for; it may lead over links. */
  readonly path: string | Buffer
  /** Without links, as bytes, and the root that it is inside. */
  readonly real: string
  readonly realRoot: string
  readonly stats: Stats
  readonly size: number
  /** With its quotes. */
  readonly etag: string
  /** Seconds since 1970, as in Last-Modified. */
  readonly modified: number
  readonly facts: Facts
  readonly type: string
  /** The fields of every answer: validators, Cache-Control, Vary. */
  readonly shared: string
  /** The fields that describe the content besides its type. */
  readonly about: string
  /** The head with status 200. */
  readonly ok: AnswerHead
  /** The head with status 304. */
  readonly notModified: AnswerHead
  /** Null when the file is larger than `SMALL`. */
  readonly body: Buffer | null
  /** Whether the metadata is old enough to tell the next change. */
  readonly settled: boolean
}

/** What the site and the request's path say about a file, besides the file itself. */
export interface Facts {
  readonly type: string
  /** The content coding of a precompressed file, '' for none. */
  readonly coding: string
  /** Whether there are representations in other codings. */
  readonly varies: boolean
  readonly cacheSeconds: number
  /** More fields for every answer, from a backend that had the file sent; null where none did. */
  readonly more: string | null
}

/** Where a file is: the path that was asked for, and what it comes down to. All are bytes. */
export interface Place {
  /** It may lead over links. */
  readonly path: string
  readonly real: string
  readonly realRoot: string
}

/**
 * Reads the file at `place`, which is inside its root. `known`, a representation of the same path from
 * before, saves the reading when nothing has changed.
 */
export function represent(
  place: Place,
  facts: Facts,
  known: Representation | undefined,
): Representation {
  for (let attempt = 1; ; attempt++) {
    const { fd, stats } = openInside(place.real, place.realRoot)
    try {
      if (
        known?.settled &&
        known.real === place.real &&
        known.realRoot === place.realRoot &&
        known.facts.varies === facts.varies &&
        sameFile(known.stats, stats)
      ) {
        return known
      }
      const path = nativePath(place.path)
      if (stats.size > SMALL) return prepare({ ...place, path }, stats, facts, null)
      const body = readWhole(fd, stats.size)
      // A writer may be at work: better once more than half old and half new.
      if (attempt === TRIES || sameFile(stats, fstatSync(fd))) {
        return prepare({ ...place, path }, stats, facts, body)
      }
    } finally {
      closeSync(fd)
    }
  }
}

/** The same file with other metadata: it changed since. */
export function restate(file: Representation, stats: Stats): Representation {
  return prepare(file, stats, file.facts, null)
}

/** The same file, sent for a backend: with its word on the type, and what else it has to say. */
export function retell(file: Representation, type: string, more: string): Representation {
  return prepare(file, file.stats, { ...file.facts, type, more }, file.body)
}

function readWhole(fd: number, size: number): Buffer {
  const body = Buffer.allocUnsafeSlow(size)
  let length = 0
  while (length < size) {
    const count = readSync(fd, body, length, size - length, length)
    if (count === 0) break
    length += count
  }
  return body.subarray(0, length)
}

function prepare(
  place: Pick<Representation, 'path' | 'real' | 'realRoot'>,
  stats: Stats,
  facts: Facts,
  body: Buffer | null,
): Representation {
  const now = Date.now()
  const size = body === null ? stats.size : body.length
  const recent = Math.abs(now - stats.mtimeMs) < SETTLED_MS
  const etag = entityTag(stats.mtimeMs, size, facts.coding, recent)
  const modified = Math.floor(stats.mtimeMs / 1000)
  let shared = `ETag: ${etag}\r\n`
  // RFC 9110 §8.8.2.1: never a date later than the answer's own.
  if (modified >= 0 && modified * 1000 <= now) {
    shared += `Last-Modified: ${formatHttpDate(modified)}\r\n`
  }
  if (facts.cacheSeconds >= 0) shared += `Cache-Control: max-age=${facts.cacheSeconds}\r\n`
  if (facts.varies) shared += 'Vary: Accept-Encoding\r\n'
  if (facts.more !== null) shared += facts.more
  let about = 'Accept-Ranges: bytes\r\nX-Content-Type-Options: nosniff\r\n'
  if (facts.coding !== '') about = `Content-Encoding: ${facts.coding}\r\n${about}`
  const { path, real, realRoot } = place
  return {
    path,
    real,
    realRoot,
    stats,
    size,
    etag,
    modified,
    facts,
    type: facts.type,
    shared,
    about,
    ok: {
      status: 200,
      reason: '',
      fields: `Content-Type: ${facts.type}\r\n${shared}${about}`,
      has: 0,
      ...(body === null || facts.more !== null ? {} : { fixed: true as const }),
    },
    notModified: { status: 304, reason: '', fields: shared, has: 0 },
    body,
    settled: now - stats.ctimeMs > SETTLED_MS && size === stats.size,
  }
}

/**
 * Modification time in µs and size: equal on every machine that a deployment copied the file to with
 * its times, where an inode number would not be.
 */
function entityTag(mtimeMs: number, size: number, coding: string, weak: boolean): string {
  const time = Math.round(mtimeMs * 1000).toString(16)
  const tag = `"${time}-${size.toString(16)}${coding === '' ? '' : `-${coding}`}"`
  return weak ? `W/${tag}` : tag
}
