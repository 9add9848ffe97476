/** The schedulers under all their names, and which options each has. */
import type { KeyPartPlan, SchedulePlan, SchedulerName } from './plan.ts'

type Option = Exclude<keyof SchedulePlan, 'by'>

/** What a name stands for: what differs from `PLAIN`. */
type Named = Partial<SchedulePlan> & Pick<SchedulePlan, 'by'>

const PLAIN: Omit<SchedulePlan, 'by'> = {
  ties: 'first',
  smooth: true,
  key: [],
  consistent: false,
  port: false,
  fallback: true,
  table: 4093,
}

const ADDRESS: readonly KeyPartPlan[] = [{ of: 'address', name: '' }]
const NETWORK: readonly KeyPartPlan[] = [{ of: 'network', name: '' }]
const HOST: readonly KeyPartPlan[] = [{ of: 'host', name: '' }]
const PATH: readonly KeyPartPlan[] = [{ of: 'path', name: '' }]

const TURNS: Named = { by: 'wrr' }
const LEAST: Named = { by: 'wlc', ties: 'turns' }
const MAGLEV: Named = { by: 'mh', key: ADDRESS }
const TIME: Named = { by: 'least-time', ties: 'turns' }

/** LVS's names are exactly what LVS does, the long ones what nginx and HAProxy do. */
const NAMES: Readonly<Record<string, Named>> = {
  'round-robin': TURNS,
  'least-connections': LEAST,
  hash: { by: 'hash' },
  random: { by: 'random' },
  'two-choices': { by: 'twos' },
  'least-time': TIME,
  first: { by: 'first' },
  maglev: MAGLEV,
  rr: { by: 'rr' },
  wrr: TURNS,
  lc: { by: 'lc' },
  wlc: { by: 'wlc' },
  sed: { by: 'sed' },
  'shortest-expected-delay': { by: 'sed', ties: 'turns' },
  nq: { by: 'nq' },
  'never-queue': { by: 'nq', ties: 'turns' },
  sh: { by: 'sh', key: ADDRESS },
  'source-hash': { by: 'sh', key: ADDRESS },
  dh: { by: 'dh', key: HOST },
  'destination-hash': { by: 'dh', key: HOST },
  lblc: { by: 'lblc', key: HOST },
  lblcr: { by: 'lblcr', key: HOST },
  fo: { by: 'fo' },
  failover: { by: 'fo' },
  ovf: { by: 'ovf' },
  overflow: { by: 'ovf' },
  mh: MAGLEV,
  twos: { by: 'twos' },
  least_conn: LEAST,
  least_time: TIME,
  ip_hash: { by: 'hash', key: NETWORK },
  roundrobin: TURNS,
  'static-rr': TURNS,
  leastconn: LEAST,
  source: { by: 'hash', key: ADDRESS },
  uri: { by: 'hash', key: PATH },
}

const OPTIONS: Readonly<Record<SchedulerName, readonly Option[]>> = {
  rr: [],
  wrr: ['smooth'],
  lc: ['ties'],
  wlc: ['ties'],
  sed: ['ties'],
  nq: ['ties'],
  sh: ['port', 'fallback'],
  dh: ['key', 'fallback'],
  lblc: ['key'],
  lblcr: ['key'],
  fo: [],
  ovf: [],
  mh: ['key', 'port', 'fallback', 'table'],
  twos: [],
  hash: ['key', 'consistent'],
  random: [],
  'least-time': [],
  first: [],
}

export const SCHEDULE_NAMES: readonly string[] = Object.keys(NAMES)

/** The plan of a name; undefined: there is no such scheduler. */
export function scheduleOf(name: string): SchedulePlan | undefined {
  const named = Object.hasOwn(NAMES, name) ? NAMES[name] : undefined
  return named === undefined ? undefined : { ...PLAIN, ...named }
}

export function optionsOf(by: SchedulerName): readonly Option[] {
  return OPTIONS[by]
}

/** Those that have an option, for messages. */
export function schedulersWith(option: Option): SchedulerName[] {
  const names = Object.keys(OPTIONS) as SchedulerName[]
  return names.filter((name) => OPTIONS[name].includes(option))
}

/** How the parts of a key are written. */
export const KEY_FORMS =
  'address, network, destination, host, uri, path, header:NAME, cookie:NAME or query:NAME'

const PLAIN_PARTS = ['address', 'network', 'destination', 'host', 'uri', 'path'] as const
const NAMED_PARTS = ['header', 'cookie', 'query'] as const
const NAME_OF_FIELD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** A part of a key as it is written; undefined: there is no such part. */
export function parseKeyPart(text: string): KeyPartPlan | undefined {
  const plain = PLAIN_PARTS.find((part) => part === text)
  if (plain !== undefined) return { of: plain, name: '' }
  const colon = text.indexOf(':')
  const of = NAMED_PARTS.find((part) => part === text.slice(0, Math.max(0, colon)))
  const name = text.slice(colon + 1)
  if (of === undefined || name === '') return undefined
  if (of !== 'query' && !NAME_OF_FIELD.test(name)) return undefined
  return { of, name: of === 'header' ? name.toLowerCase() : name }
}

/** For whoever has mistyped one. */
export const KEY_WORDS: readonly string[] = [
  ...PLAIN_PARTS,
  ...NAMED_PARTS.map((part) => `${part}:`),
]
