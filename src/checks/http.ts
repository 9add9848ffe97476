/** An HTTP server answers a request as it should: with a status, a text or a digest of its answer. */
import { createHash } from 'node:crypto'
import {
  type ClientRequest,
  type IncomingMessage,
  request as plain,
  type RequestOptions,
} from 'node:http'
import { request as secure } from 'node:https'
import type { SecureContextOptions } from 'node:tls'
import type { HttpCheckPlan } from '../site/check-plan.ts'
import type { Address } from '../site/plan.ts'
import { ownHost } from '../transports/backend/own-host.ts'
import type { PoolFiles } from '../transports/backend/tls.ts'
import { type Check, Unwell } from './check.ts'
import { type Pattern, patternOf } from './pattern.ts'

/** Of an answer a text is looked for in this much, bytes. */
const MOST_SEARCHED = 65_536
/** A digest is of the whole answer, which may be this long, bytes. */
const MOST_DIGESTED = 16 * 1024 ** 2
const LONGEST_HEAD = 65_536

type Trust = SecureContextOptions & { readonly rejectUnauthorized: boolean }

/** `files`: of the pool, for TLS. */
export function http(plan: HttpCheckPlan, files: PoolFiles): Check {
  const pattern = plan.body === '' ? null : patternOf(plan.body)
  const secured = plan.tls === null ? null : trust(plan.tls.verify, files)
  return {
    name: plan.tls === null ? 'http' : 'https',
    probe: async (address, signal) => {
      signal.throwIfAborted()
      const request = ask(plan, secured, address)
      const abort = (): void => void request.destroy(signal.reason as Error)
      signal.addEventListener('abort', abort)
      try {
        await judge(plan, pattern, await answer(request))
      } catch (error) {
        throw signal.aborted ? signal.reason : error
      } finally {
        signal.removeEventListener('abort', abort)
        request.destroy()
      }
      return undefined
    },
  }
}

function trust(verify: boolean, { ca, certificate, key }: PoolFiles): Trust {
  return {
    rejectUnauthorized: verify,
    ...(ca === '' ? {} : { ca }),
    ...(certificate === '' ? {} : { cert: certificate, key }),
  }
}

function ask(plan: HttpCheckPlan, secured: Trust | null, address: Address): ClientRequest {
  const { method, path, fields, tls } = plan
  const host = plan.host === '' ? ownHost(address) : plan.host
  const named = new Set(fields.filter((_text, i) => i % 2 === 0).map((name) => name.toLowerCase()))
  const usual = [
    ['Host', host],
    ['User-Agent', 'Portico-Check'],
    ['Connection', 'close'],
  ] as const
  const before = usual.filter(([name]) => !named.has(name.toLowerCase())).flat()
  const options: RequestOptions = {
    method,
    path,
    headers: [...before, ...fields],
    agent: false,
    maxHeaderSize: LONGEST_HEAD,
    ...(address.kind === 'unix'
      ? { socketPath: address.path }
      : { host: address.host, port: address.port }),
  }
  if (tls === null || secured === null) return plain(options)
  const name = tls.name === '' ? host.replace(/:\d+$/, '') : tls.name
  return secure({
    ...options,
    servername: /^[\d.]+$|^\[/.test(name) ? '' : name,
    ...secured,
  })
}

function answer(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve)
    request.on('upgrade', () => reject(new Unwell('answered with another protocol')))
    // Also after the answer has begun: its stream tells the rest.
    request.on('error', (error: NodeJS.ErrnoException) => reject(told(error)))
    request.on('close', () => reject(new Unwell('closed the connection without an answer')))
    request.end()
  })
}

function told(error: NodeJS.ErrnoException): Error {
  if (error.code?.startsWith('HPE_') === true)
    return new Unwell(`does not speak HTTP: ${error.message}`)
  if (error.code === 'ECONNRESET') return new Unwell('closed the connection without an answer')
  return error
}

async function judge(
  { status, digest, method }: HttpCheckPlan,
  pattern: Pattern | null,
  answer: IncomingMessage,
): Promise<void> {
  const code = answer.statusCode ?? 0
  if (!status.some((from, i) => i % 2 === 0 && code >= from && code <= status[i + 1]!)) {
    throw new Unwell(`answered ${code} ${answer.statusMessage ?? ''}`.trim())
  }
  if (method === 'HEAD' || (pattern === null && digest === '')) return
  const body = await read(answer, digest === '' ? MOST_SEARCHED : MOST_DIGESTED, digest !== '')
  if (pattern !== null && !pattern.isIn(body.toString('latin1', 0, MOST_SEARCHED))) {
    throw new Unwell('the answer is not the one expected')
  }
  if (digest === '') return
  const found = createHash(digest.length === 32 ? 'md5' : 'sha256')
    .update(body)
    .digest('hex')
  if (found !== digest) throw new Unwell(`the answer has the digest ${found}`)
}

/** The beginning of a body, up to `most` bytes; `whole`: throws where there is more. */
function read(answer: IncomingMessage, most: number, whole: boolean): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    let size = 0
    answer.on('data', (chunk: Buffer) => {
      parts.push(chunk)
      size += chunk.length
      if (size <= most) return
      answer.pause()
      if (whole) reject(new Unwell(`the answer is longer than ${most} bytes`))
      else resolve(Buffer.concat(parts))
    })
    answer.on('end', () => resolve(Buffer.concat(parts)))
    answer.on('error', (error: NodeJS.ErrnoException) => reject(told(error)))
    answer.on('close', () =>
      reject(new Unwell('closed the connection in the middle of its answer')),
    )
  })
}
