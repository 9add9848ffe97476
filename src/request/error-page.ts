/** What a visitor sees of an error: a page, JSON or one line of text, as the Accept field asks. */
import type { PorticoError } from '../errors.ts'
import { http } from '../system/http.ts'
import { fieldValue, listMembers } from '../wire/fields.ts'
import type { RequestFields } from '../wire/request-fields.ts'
import type { ErrorPage } from './exchange.ts'

/**
 * Details are shown where they concern the visitor's own request, or with `dev`; what goes wrong
 * behind us is the log's.
 */
export function errorPage(
  error: PorticoError,
  fields: RequestFields | null,
  dev: boolean,
): ErrorPage {
  const phrase = http.STATUS_CODES[error.status] ?? 'Error'
  const detail = dev || error.fault === 'visitor' ? error.message : ''
  const form = wanted((fields === null ? undefined : fieldValue(fields, 'accept')) ?? '')
  const retry =
    error.status === 503 || error.status === 429 ? `Retry-After: ${error.retryAfter}\r\n` : ''
  const make = (type: string, text: string): ErrorPage => ({
    head: {
      status: error.status,
      reason: '',
      fields: `Content-Type: ${type}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n${retry}`,
      has: 0,
    },
    body: Buffer.from(text),
  })
  if (form === 'html') return make('text/html; charset=utf-8', html(error.status, phrase, detail))
  if (form === 'json') {
    const body = {
      error: { status: error.status, code: error.code, message: detail === '' ? phrase : detail },
    }
    return make('application/json', `${JSON.stringify(body)}\n`)
  }
  return make(
    'text/plain; charset=utf-8',
    `${error.status} ${phrase}${detail === '' ? '' : `\n${detail}`}\n`,
  )
}

type Form = 'html' | 'json' | 'text'

/** The form that an Accept field prefers (RFC 9110 §12.5.1); of equal ones the first. Ranges mean text. */
function wanted(accept: string): Form {
  let best: Form = 'text'
  let most = 0
  for (const member of listMembers(accept)) {
    const [type = '', ...parameters] = member.split(';')
    const form = formOf(type.trim())
    const weight = weightOf(parameters)
    if (form === null || weight <= most) continue
    best = form
    most = weight
  }
  return best
}

function formOf(type: string): Form | null {
  if (type === 'text/html' || type === 'application/xhtml+xml') return 'html'
  if (type === 'text/plain') return 'text'
  return /^application\/([^/]+\+)?json$/.test(type) ? 'json' : null
}

function weightOf(parameters: readonly string[]): number {
  for (const parameter of parameters) {
    const match = /^\s*q=([01](?:\.[0-9]{0,3})?)\s*$/.exec(parameter)
    if (match !== null) return Number(match[1])
  }
  return 1
}

function html(status: number, phrase: string, detail: string): string {
  const more = detail === '' ? '' : `<pre>${escapeHtml(detail)}</pre>`
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${status} ${phrase}</title><style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:12vh auto;padding:0 1.5rem}h1{font-weight:500}pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:14px}</style><h1>${status} ${phrase}</h1>${more}</html>\n`
}

/** Text made safe to stand in HTML, in an element or a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
