/**
 * The fields in which a backend speaks to the server before it, not to the visitor: X-Sendfile, and
 * X-Accel-Redirect with the others of that family, none of which nginx lets through either. Pure.
 */
import type { AnswerHead, FileOrder } from './exchange.ts'

const ANY = /^x-(?:accel-|sendfile:)/im
const LINE = /^(x-accel-[^:]*|x-sendfile):(.*)\r\n/gim

/** `fields` (a block as in AnswerHead) without these fields, which come apart, and what they ask for. */
export function withoutOrders(fields: string): Pick<AnswerHead, 'fields' | 'orders' | 'file'> {
  if (!ANY.test(fields)) return { fields }
  let file: FileOrder | undefined
  let orders = ''
  const kept = fields.replace(LINE, (line, name: string, value: string) => {
    orders += line
    const path = trimmed(value)
    const lower = name.toLowerCase()
    // The first one counts, and an empty one is none.
    if (path === '' || file !== undefined) return ''
    if (lower === 'x-accel-redirect') file = { by: 'X-Accel-Redirect', path }
    else if (lower === 'x-sendfile') file = { by: 'X-Sendfile', path }
    return ''
  })
  return file === undefined ? { fields: kept, orders } : { fields: kept, orders, file }
}

/** Without blanks around it. By hand: an expression would look at a run of blanks once for each of them. */
function trimmed(value: string): string {
  let from = 0
  let to = value.length
  while (from < to && isBlank(value.charCodeAt(from))) from++
  while (to > from && isBlank(value.charCodeAt(to - 1))) to--
  return value.slice(from, to)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
