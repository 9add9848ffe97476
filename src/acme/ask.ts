/** One request over HTTPS, bounded in time and size. */
import { type RequestOptions, request as tlsRequest } from 'node:https'
import { http } from '../system/http.ts'

export interface Asked {
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Certificates (PEM) that are trusted in place of the system's; undefined: the system's. */
  readonly ca?: string | undefined
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  /** All values of a field that may come more than once. */
  readonly links: readonly string[]
  readonly body: Buffer
}

/** A CA's longest answer is a chain of certificates. */
const LONGEST_ANSWER = 1024 ** 2
const AGENT = 'portico'

/** Rejects where there is no answer, with why. */
export function ask(url: string, asked: Asked): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method, body, headers, ca, timeoutMs, signal } = asked
    const timeout = AbortSignal.timeout(timeoutMs)
    const options: RequestOptions = {
      method,
      headers: {
        'User-Agent': AGENT,
        ...(body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) }),
        ...headers,
      },
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
      // A CA is asked a few times a month.
      agent: false,
      ...(ca === undefined ? {} : { ca }),
    }
    const failed = (cause: Error): void => {
      const why = timeout.aborted ? `no answer within ${timeoutMs / 1000} s` : reasonOf(cause)
      reject(new Error(`${new URL(url).host}: ${why}`, { cause }))
    }
    const send = url.startsWith('http:') ? http.request : tlsRequest
    const request = send(url, options, (response) => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > LONGEST_ANSWER) request.destroy(new Error('an answer of over 1 MB'))
        else chunks.push(chunk)
      })
      response.on('error', failed)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers as Answer['headers'],
          links: response.headersDistinct.link ?? [],
          body: Buffer.concat(chunks),
        }),
      )
    })
    request.on('error', failed)
    request.end(body)
  })
}

/** Several addresses that were tried are told as one error without words of its own. */
function reasonOf(error: Error): string {
  const first = error instanceof AggregateError ? (error.errors[0] as Error) : error
  return first.message === '' ? String((first as NodeJS.ErrnoException).code) : first.message
}
