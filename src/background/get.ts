/** Asks for a page and throws it away: the status is what matters. */
import type { RequestOptions } from 'node:http'
import type { ActionPlan } from '../site/background-plan.ts'
import { showDuration } from '../site/units.ts'
import { http } from '../system/http.ts'
import type { Front } from './actions.ts'
import type { Outcome } from './task.ts'

/** Of an answer that says what went wrong, bytes for the log. */
const MOST_TOLD = 1_024

/** A path comes by the site's own front door. Never rejects. */
export function get(
  { url, host }: Extract<ActionPlan, { kind: 'get' }>,
  front: Front | null,
  timeoutMs: number,
  signal: AbortSignal,
  line: (text: string) => void,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const fail = (how: string): void => resolve({ ok: false, how })
    const isPath = url.startsWith('/')
    if (isPath && front === null) {
      return fail('the site listens nowhere for plain http: give a whole http:// URL')
    }
    const headers = { 'User-Agent': 'portico', ...(isPath ? { Host: host } : {}) }
    const options: RequestOptions = { agent: false, headers, signal }
    const sent = isPath
      ? http.request({ ...options, ...front, path: url })
      : http.request(url, { ...options })
    const timer = timeoutMs === 0 ? undefined : setTimeout(() => sent.destroy(late), timeoutMs)
    const late = new Error(`timed out after ${showDuration(timeoutMs)}`)
    sent.on('error', (error) => fail(error.message))
    sent.on('close', () => clearTimeout(timer))
    sent.on('response', (response) => {
      const { statusCode: status = 0 } = response
      const isFailure = status >= 400
      let told = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => {
        if (isFailure && told.length < MOST_TOLD) told += text.slice(0, MOST_TOLD - told.length)
      })
      response.on('error', (error) => fail(error.message))
      response.on('end', () => {
        for (const each of told.split('\n')) if (each.trim() !== '') line(each)
        resolve({ ok: !isFailure, how: `status ${status}` })
      })
    })
    sent.end()
  })
}
