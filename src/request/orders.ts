/**
 * The fields in which a backend speaks to the server before it, not to the visitor: X-Sendfile, and
 * X-Accel-Redirect with the others of that family, none of which nginx lets through either. Pure.
 */
import type { AnswerHead, FileOrder } from './exchange.ts'

const ANY = /^x-(?:accel-|sendfile:)/im
const LINE = /^(x-accel-[^:]*|x-sendfile):[ \t]*(.*?)[ \t]*\r\n/gim

/** `fields` (a block as in AnswerHead) without these fields, which come apart, and what they ask for. */
export function withoutOrders(fields: string): Pick<AnswerHead, 'fields' | 'orders' | 'file'> {
  if (!ANY.test(fields)) return { fields }
  let file: FileOrder | undefined
  let orders = ''
  const kept = fields.replace(LINE, (line, name: string, path: string) => {
    orders += line
    const lower = name.toLowerCase()
    // The first one counts, and an empty one is none.
    if (path === '' || file !== undefined) return ''
    if (lower === 'x-accel-redirect') file = { by: 'X-Accel-Redirect', path }
    else if (lower === 'x-sendfile') file = { by: 'X-Sendfile', path }
    return ''
  })
  return file === undefined ? { fields: kept, orders } : { fields: kept, orders, file }
}
