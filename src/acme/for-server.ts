/** What the server process has to know of automatic certificates, which is next to nothing. */
import type { SitePlan } from '../site/plan.ts'

/** The plan without passwords of stores, CAs and programs: whoever takes over the server finds none. */
export function forServer(plan: SitePlan): SitePlan {
  if (plan.acme === undefined) return plan
  const acme = {
    ...plan.acme,
    store: '',
    servers: [],
    dnsHook: [],
    email: '',
    trust: '',
    ask: plan.acme.ask === '' ? '' : 'yes',
  }
  return { ...plan, acme }
}
