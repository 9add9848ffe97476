/** An HTTP server answers a request as it should: with a status, a text or a digest of its answer. */
import {
  type ClientRequest,
  type IncomingMessage,
  request as plain,
  type RequestOptions,
} from 'node:http'
import { request as secure } from 'node:https'
import type { HttpCheckPlan } from '../site/check-plan.ts'
import type { Address } from '../site/plan.ts'
import { ownHost } from '../transports/backend/own-host.ts'
import type { PoolFiles } from '../transports/backend/tls.ts'
import { type Check, Unwell } from './check.ts'
import { type Answer, judge, serverName, type Trust, told, trust } from './http-answer.ts'
import { patternOf } from './pattern.ts'

const LONGEST_HEAD = 65_536

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
  return secure({ ...options, servername: serverName(plan, host), ...secured })
}

function answer(request: ClientRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request.on('response', (answer: IncomingMessage) => {
      const { statusCode = 0, statusMessage = '' } = answer
      resolve({ code: statusCode, reason: statusMessage, body: answer })
    })
    request.on('upgrade', () => reject(new Unwell('answered with another protocol')))
    // Also after the answer has begun: its stream tells the rest.
    request.on('error', (error: NodeJS.ErrnoException) => reject(told(error)))
    request.on('close', () => reject(new Unwell('closed the connection without an answer')))
    request.end()
  })
}
