/**
 * Lets a backend have files sent: an answer with X-Accel-Redirect or X-Sendfile loses its body, and the
 * file that it names, in one of the route's folders, is sent in its place. The visitor sees nothing of it.
 *
 * Conditions and ranges are judged against the file; type, cookies, caching and everything else that is
 * not about the dropped body stays as the backend said. (nginx keeps only some of it, Apache all.)
 */
import { PorticoError } from '../errors.ts'
import type { AnswerHead, Exchange, FileOrder, Handler } from '../request/exchange.ts'
import { ReplaceableExchange } from '../request/replaceable.ts'
import { ExchangeThrough } from '../request/through.ts'
import type { SendFilesPlan } from '../site/plan.ts'
import { decodePath } from '../wire/request-line.ts'
import { answerWith } from './files/answer.ts'
import { askedBy, NOTHING_ASKED } from './files/asked.ts'
import { bytePath, nativePath } from './files/byte-path.ts'
import { failure } from './files/failure.ts'
import { isInside, realPath, realPathInside, statOf } from './files/inspect.ts'
import { PreparedFiles } from './files/prepared.ts'
import { retell } from './files/representation.ts'
import { below } from './files/resolve.ts'

/** Fields about the body that was dropped, and those that the gateway adds. */
const OF_THE_BODY =
  /^(?:etag|last-modified|accept-ranges|content-(?:type|range|encoding|location|digest|md5)|repr-digest|digest|date|server|x-content-type-options):.*\r\n/gim
const TYPE = /^content-type:[ \t]*(.*)\r\n/im

interface Folder {
  /** What X-Accel-Redirect begins with, as bytes; ends in `/`. */
  readonly path: string
  /** As bytes. */
  readonly root: string
  readonly prepared: PreparedFiles
}

/** `inner`, with files from `folders` where it asks for them. `log` takes a line for each refused one. */
export function sendFiles(
  inner: Handler,
  folders: SendFilesPlan,
  log: (line: string) => void,
): Handler {
  const entries = Object.entries(folders)
  if (entries.length === 0) return inner
  const list = entries.map(([path, root]) => ({
    path: bytePath(`${path}.`).slice(0, -1),
    root: bytePath(root),
    prepared: new PreparedFiles(-1, false),
  }))
  // The longest path that matches is meant.
  list.sort((one, other) => other.path.length - one.path.length)
  return {
    name: inner.name,
    handle: (exchange) => inner.handle(new OrderingExchange(exchange, list, log)),
    close() {
      inner.close?.()
      for (const { prepared } of list) prepared.close()
    },
  }
}

class OrderingExchange extends ReplaceableExchange {
  readonly #folders: readonly Folder[]
  readonly #log: (line: string) => void

  constructor(visitor: Exchange, folders: readonly Folder[], log: (line: string) => void) {
    super(visitor)
    this.#folders = folders
    this.#log = log
  }

  protected override replace(head: AnswerHead): boolean {
    if (head.file === undefined) return false
    this.takeOver()
    this.#order(head, head.file)
    return true
  }

  #order(head: AnswerHead, order: FileOrder): void {
    const { visitor } = this
    try {
      this.#send(head, order)
    } catch (cause) {
      const error = failure(cause)
      const { method, origin } = visitor.line
      const path = JSON.stringify(order.path.slice(0, 512))
      const why = error.cause instanceof Error ? error.cause.message : error.message
      this.#log(`${method} ${origin.slice(0, 256)}: ${order.by} ${path}: ${why}`)
      visitor.fail(error)
    }
  }

  #send(head: AnswerHead, order: FileOrder): void {
    const { folder, rest } = find(this.#folders, order)
    const { root, prepared } = folder
    const now = this.began
    let file = prepared.fresh(rest, now)
    if (file === undefined) {
      const target = root === '/' ? rest : root + rest
      const realRoot = realPath(root)
      const real = realPathInside(target, realRoot)
      if (statOf(nativePath(real))?.isDirectory() === true) throw missing('it is a folder')
      file = prepared.prepare(rest, target, real, realRoot, now)
    }
    const type = TYPE.exec(head.fields)?.[1] ?? file.plain.type
    const told = retell(file.plain, type, head.fields.replace(OF_THE_BODY, ''))
    // The file is its own resource: what was asked of another method has been done by the backend.
    const { line, fields } = this.visitor
    const asks = line.method === 'GET' || line.method === 'HEAD'
    const exchange = asks ? this.visitor : new GetExchange(this.visitor)
    answerWith(exchange, told, asks ? askedBy(fields) : NOTHING_ASKED)
  }
}

/** The folder that has the file, and the path below it, with a slash. Throws NOT_FOUND. */
function find(
  folders: readonly Folder[],
  { by, path }: FileOrder,
): { folder: Folder; rest: string } {
  const named = by === 'X-Sendfile' ? ofFile(path) : ofUrl(path)
  for (const folder of folders) {
    const roots = by === 'X-Sendfile' ? rootsOf(folder) : [folder.path.slice(0, -1)]
    const root = roots.find((each) => isInside(named, each === '' ? '/' : each))
    if (root === undefined) continue
    const rest = below(named.slice(root === '/' ? 0 : root.length), '')
    if (rest === null) throw missing('hidden files are not sent')
    if (rest === '' || named.endsWith('/')) throw missing('it is a folder')
    return { folder, rest }
  }
  throw missing('it is in none of the folders of send-files')
}

/** X-Accel-Redirect: a path as in a URL; a query behind it has no meaning for files. */
function ofUrl(path: string): string {
  const mark = path.indexOf('?')
  return resolved(mark < 0 ? path : path.slice(0, mark)) ?? refuseWord()
}

/** X-Sendfile: a path of the file system, percent-encoded where that makes sense, as Apache reads it. */
function ofFile(path: string): string {
  return resolved(path) ?? resolved(path.replaceAll('%', '%25')) ?? refuseWord()
}

/** Decoded, without dot segments; null for what is no path. */
function resolved(path: string): string | null {
  if (!path.startsWith('/')) return null
  try {
    return decodePath(path)
  } catch {
    return null
  }
}

function refuseWord(): never {
  throw missing('it is no absolute path')
}

function rootsOf({ root }: Folder): readonly string[] {
  const real = realPath(root)
  return real === root ? [root] : [root, real]
}

/** The page says no more than that nothing is there; the cause is for the log. */
function missing(why: string): PorticoError {
  return new PorticoError('NOT_FOUND', '', { cause: new Error(why) })
}

/** A request of another method, as one for the file. */
class GetExchange extends ExchangeThrough {
  constructor(visitor: Exchange) {
    super(visitor, visitor.fields, { ...visitor.line, method: 'GET' })
  }
}
