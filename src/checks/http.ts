/** An HTTP server answers a request as it should: with a status, a text or a digest of its answer. */
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import type { HttpCheckPlan } from '../site/check-plan.ts'
import { http as builtin } from '../system/http.ts'
import { ownHost } from '../transports/backend/own-host.ts'
import type { PoolFiles } from '../transports/backend/tls.ts'
import { type Check, type Peer, Unwell } from './check.ts'
import { type Answer, judge, told } from './http-answer.ts'
import { connection, type Trust, trust } from './http-connection.ts'
import { patternOf } from './pattern.ts'

const LONGEST_HEAD = 65_536

/** `files`: of the pool, for TLS. */
export function http(plan: HttpCheckPlan, files: PoolFiles): Check {
  const pattern = plan.body === '' ? null : patternOf(plan.body)
  const secured = plan.tls === null ? null : trust(plan.tls.verify, files)
  return {
    name: plan.tls === null ? 'http' : 'https',
    probe: async (peer, signal) => {
      signal.throwIfAborted()
      const asked = ask(plan, secured, peer)
      const abort = (): void => void asked.destroy(signal.reason as Error)
      signal.addEventListener('abort', abort)
      try {
        await judge(plan, pattern, await answer(asked))
      } catch (error) {
        throw signal.aborted ? signal.reason : error
      } finally {
        signal.removeEventListener('abort', abort)
        asked.destroy()
      }
      return undefined
    },
  }
}

function ask(plan: HttpCheckPlan, secured: Trust | null, peer: Peer): ClientRequest {
  const { method, path, fields } = plan
  const host = plan.host === '' ? ownHost(peer.address) : plan.host
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
    maxHeaderSize: LONGEST_HEAD,
    createConnection: () => connection(plan, secured, peer, host, []),
  }
  return builtin.request(options)
}

function answer(asked: ClientRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    asked.on('response', (answer: IncomingMessage) => {
      const { statusCode = 0, statusMessage = '' } = answer
      resolve({ code: statusCode, reason: statusMessage, body: answer })
    })
    asked.on('upgrade', () => reject(new Unwell('answered with another protocol')))
    // Also after the answer has begun: its stream tells the rest.
    asked.on('error', (error: NodeJS.ErrnoException) => reject(told(error)))
    asked.on('close', () => reject(new Unwell('closed the connection without an answer')))
    asked.end()
  })
}
