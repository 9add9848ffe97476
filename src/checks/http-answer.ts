/** What an answer over HTTP, of whatever version, has to be for a server to be well. */
import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { HttpCheckPlan } from '../site/check-plan.ts'
import { Unwell } from './check.ts'
import type { Pattern } from './pattern.ts'

/** Of an answer a text is looked for in this much, bytes. */
const MOST_SEARCHED = 65_536
/** A digest is of the whole answer, which may be this long, bytes. */
const MOST_DIGESTED = 16 * 1024 ** 2

export interface Answer {
  readonly code: number
  /** '' where there is none. */
  readonly reason: string
  readonly body: Readable
}

/** Throws why it is not well. */
export async function judge(
  { status, digest, method }: HttpCheckPlan,
  pattern: Pattern | null,
  { code, reason, body: stream }: Answer,
): Promise<void> {
  if (!status.some((from, i) => i % 2 === 0 && code >= from && code <= status[i + 1]!)) {
    throw new Unwell(`answered ${code} ${reason}`.trim())
  }
  if (method === 'HEAD' || (pattern === null && digest === '')) return
  const body = await read(stream, digest === '' ? MOST_SEARCHED : MOST_DIGESTED, digest !== '')
  if (pattern !== null && !pattern.isIn(body.toString('latin1', 0, MOST_SEARCHED))) {
    throw new Unwell('the answer is not the one expected')
  }
  if (digest === '') return
  const by = digest.length === 32 ? 'md5' : 'sha256'
  const found = createHash(by).update(body).digest('hex')
  if (found !== digest) throw new Unwell(`the answer has the digest ${found}`)
}

/** The beginning of a body, up to `most` bytes; `whole`: throws where there is more. */
function read(stream: Readable, most: number, whole: boolean): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    let size = 0
    stream.on('data', (chunk: Buffer) => {
      parts.push(chunk)
      size += chunk.length
      if (size <= most) return
      stream.pause()
      if (whole) reject(new Unwell(`the answer is longer than ${most} bytes`))
      else resolve(Buffer.concat(parts))
    })
    stream.on('end', () => resolve(Buffer.concat(parts)))
    stream.on('error', (error: NodeJS.ErrnoException) => reject(told(error)))
    stream.on('close', () =>
      reject(new Unwell('closed the connection in the middle of its answer')),
    )
  })
}

/** In words, for what Node has codes of its own. */
export function told(error: NodeJS.ErrnoException): Error {
  const { code = '', cause } = error
  // A request that was never sent: why is in the other one.
  if (code === 'ERR_HTTP2_STREAM_CANCEL' && cause instanceof Error) return told(cause)
  if (code.startsWith('HPE_') || code.startsWith('ERR_HTTP2')) {
    return new Unwell(`does not speak HTTP: ${error.message}`)
  }
  return code === 'ECONNRESET' ? new Unwell('closed the connection without an answer') : error
}
