/** A page in place of the site while it is worked on. */
import { existsSync } from 'node:fs'
import { clock } from '../request/clock.ts'
import type { AnswerHead, Handler } from '../request/exchange.ts'
import type { MaintenancePlan } from '../site/filters-plan.ts'
import { judge } from './access.ts'
import type { FilterHost } from './filter.ts'
import { type Page, PageFile } from './page-file.ts'

/** Of routes that say nothing of it. */
const USUAL: MaintenancePlan = {
  when: 'told',
  exists: '',
  page: '',
  text: '',
  status: 503,
  retryAfterSeconds: 300,
  except: [],
}

/** How often it is looked whether a file is there, ms. */
const LOOK_AGAIN_MS = 1000

/** `open`, closed: only who is excepted meets it. */
export function closed(
  plan: MaintenancePlan = USUAL,
  open: Handler,
  { complain }: Pick<FilterHost, 'complain'>,
): Handler {
  const { status, retryAfterSeconds, page, except } = plan
  const file = page === '' ? null : new PageFile(page, complain)
  const words = plan.text === '' ? 'Down for maintenance. Please come again later.' : plan.text
  const text = { type: 'text/plain; charset=utf-8', body: Buffer.from(`${words}\n`) }
  const admits = except.length === 0 ? () => false : judge({ allow: except, deny: [] })
  let last: Page | null = null
  let head!: AnswerHead
  return {
    name: open.name,
    handle(exchange) {
      if (admits(exchange.peer.address)) return open.handle(exchange)
      const shown = file === null ? text : file.page
      if (shown !== last) {
        last = shown
        const retry = status === 503 ? `Retry-After: ${retryAfterSeconds}\r\n` : ''
        const fields = `Content-Type: ${shown.type}\r\nCache-Control: no-store\r\n${retry}`
        head = { status, reason: '', fields, has: 0, fixed: true }
      }
      exchange.respond(head, shown.body)
    },
    close: () => open.close?.(),
  }
}

/** What the site file itself says of it: always, or while a file is there. */
export function maintenance(plan: MaintenancePlan, open: Handler, host: FilterHost): Handler {
  if (plan.when === 'told') return open
  const shut = closed(plan, open, host)
  if (plan.when === 'always') return shut
  let looked = Number.NEGATIVE_INFINITY
  let there = false
  return {
    name: open.name,
    handle(exchange) {
      if (clock.now - looked >= LOOK_AGAIN_MS) {
        looked = clock.now
        there = existsSync(plan.exists)
      }
      const who = there ? shut : open
      who.handle(exchange)
    },
    close: () => open.close?.(),
  }
}
