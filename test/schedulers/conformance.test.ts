/** Every scheduler, under every name, with every option that changes whom it asks. */
import { make, NAMES, needed } from './all.ts'
import { conforms } from './conformance.ts'

/** They ask one for as long as it can answer, or as long as loads are as they are. */
const STEADY = new Set([
  'lc',
  'wlc',
  'sed',
  'nq',
  'fo',
  'failover',
  'ovf',
  'overflow',
  'first',
  'shortest-expected-delay',
])
/** They have one answer for a key, and our requests have but one of these. */
const ONE_KEY = new Set(['lblc', 'lblcr', 'ip_hash'])

for (const name of NAMES) {
  const spreads = !STEADY.has(name) && !ONE_KEY.has(name)
  conforms(name, () => make(name, needed(name)), spreads)
}

conforms('wrr as LVS has it', () => make('wrr', { smooth: false }), true)
conforms('lc by turns', () => make('lc', { ties: 'turns' }), true)
conforms('hash, consistent', () => make('hash', { ...needed('hash'), consistent: true }), true)
conforms('mh with ports', () => make('mh', { port: true, table: 251 }), true)
conforms('sh with ports', () => make('sh', { port: true }), true)
