/** What a folder holds, as a page for people and as JSON for programs. */
import { type Dirent, promises, type Stats } from 'node:fs'
import { PorticoError } from '../../errors.ts'
import type { AnswerHead, Exchange } from '../../request/exchange.ts'
import { parseWeights } from '../../wire/accept.ts'
import { formatHttpDate } from '../../wire/http-date.ts'
import { askedBy } from './asked.ts'
import { encodePath, nativePath } from './byte-path.ts'
import { failure } from './failure.ts'
import { isInside, realPath } from './inspect.ts'
import { type ListedEntry, listingPage } from './listing-page.ts'

/** More entries than this are not shown, so that a huge folder costs bounded memory and time. */
const MOST_ENTRIES = 10_000

/** Numbers count as such: `page9` before `page10`. */
const byName = new Intl.Collator('en', { numeric: true })

/** Answers with the folder at `real`, inside `realRoot`. */
export function answerListing(exchange: Exchange, real: string, realRoot: string): void {
  list(real, realRoot).then(
    ({ entries, complete }) => respond(exchange, entries, complete),
    (cause: unknown) => exchange.fail(failure(cause)),
  )
}

function respond(exchange: Exchange, entries: ListedEntry[], complete: boolean): void {
  if (prefersJson(askedBy(exchange.fields).accept)) {
    const body = entries.map(({ name, isFolder, size, modified }) => ({
      name,
      type: isFolder ? 'directory' : 'file',
      mtime: formatHttpDate(modified),
      ...(isFolder ? {} : { size }),
    }))
    exchange.respond(JSON_HEAD, Buffer.from(`${JSON.stringify(body)}\n`))
  } else {
    const shown = Buffer.from(exchange.line.path, 'latin1').toString('utf8')
    exchange.respond(PAGE_HEAD, Buffer.from(listingPage(shown, entries, complete)))
  }
}

async function list(
  real: string,
  realRoot: string,
): Promise<{ entries: ListedEntry[]; complete: boolean }> {
  const entries: ListedEntry[] = []
  let complete = true
  // Names come as bytes where the folder is opened so.
  const folder = await promises.opendir(nativePath(real), { encoding: 'latin1' })
  for await (const found of folder) {
    if (found.name.startsWith('.') && found.name !== '.well-known') continue
    if (entries.length === MOST_ENTRIES) {
      complete = false
      break
    }
    const entry = await describe(real, realRoot, found)
    if (entry !== null) entries.push(entry)
  }
  // Should the folder have been swapped for a link while we read, what we read is nobody's business.
  if (realPath(real) !== real) throw new PorticoError('NOT_FOUND')
  entries.sort((a, b) => Number(b.isFolder) - Number(a.isFolder) || byName.compare(a.name, b.name))
  return { entries, complete }
}

/** Null for what would not be served: links out of the root, devices, what went away meanwhile. */
async function describe(
  folder: string,
  realRoot: string,
  found: Dirent,
): Promise<ListedEntry | null> {
  const path = folder === '/' ? `/${found.name}` : `${folder}/${found.name}`
  let stats: Stats
  try {
    if (found.isSymbolicLink() && !isInside(realPath(path), realRoot)) return null
    stats = await promises.stat(nativePath(path))
  } catch {
    return null
  }
  const isFolder = stats.isDirectory()
  if (!isFolder && !stats.isFile()) return null
  return {
    name: Buffer.from(found.name, 'latin1').toString('utf8'),
    href: encodePath(found.name),
    isFolder,
    size: stats.size,
    modified: Math.floor(stats.mtimeMs / 1000),
  }
}

/** A page unless JSON is asked for by name and liked at least as well. */
function prefersJson(accept: string | null): boolean {
  if (accept === null) return false
  const weights = parseWeights(accept)
  const json = weights.get('application/json') ?? 0
  return json > 0 && json >= (weights.get('text/html') ?? 0)
}

const SHARED = 'Cache-Control: no-cache\r\nVary: Accept\r\nX-Content-Type-Options: nosniff\r\n'

const JSON_HEAD: AnswerHead = {
  status: 200,
  reason: '',
  fields: `Content-Type: application/json\r\n${SHARED}`,
  has: 0,
}

const PAGE_HEAD: AnswerHead = {
  status: 200,
  reason: '',
  // Names are escaped; should one slip through, nothing runs.
  fields: `Content-Type: text/html; charset=utf-8\r\nContent-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n${SHARED}`,
  has: 0,
}
