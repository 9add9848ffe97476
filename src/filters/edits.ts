/** Has every answer to an exchange changed on its way out. */
import type { EditHead, Exchange } from '../request/exchange.ts'

/** What stood before, of filters that the request has met earlier, has the last word. */
export function edits(exchange: Exchange, edit: EditHead): void {
  const before = exchange.edit
  exchange.edit = before === null || before === undefined ? edit : (head) => before(edit(head))
}
