/** A pool: the backends that can answer for one another. One in each server thread. */
import { tmpdir } from 'node:os'
import { createPersistence } from '../persistence/create.ts'
import { marking } from '../persistence/marking.ts'
import type { Persistence } from '../persistence/persistence.ts'
import type { Exchange } from '../request/exchange.ts'
import { gathered } from '../request/gathered.ts'
import type { PoolPlan, TargetPlan } from '../site/plan.ts'
import { PLAIN_TLS } from '../site/pool-tls-plan.ts'
import type { Opener } from '../transports/backend/open.ts'
import { ownHost } from '../transports/backend/own-host.ts'
import type { Tally } from '../transports/backend/tally.ts'
import { NO_FILES, type PoolFiles, secureContext, TlsOpener } from '../transports/backend/tls.ts'
import { fastcgi } from '../transports/fastcgi.ts'
import { http1 } from '../transports/http1.ts'
import { http2 } from '../transports/http2.ts'
import { scgi } from '../transports/scgi.ts'
import type { Transport } from '../transports/transport.ts'
import { uwsgi } from '../transports/uwsgi.ts'
import { describeBy } from '../transports/variables.ts'
import { Care } from './care.ts'
import { CarefulWalk } from './careful-walk.ts'
import { createMembers, type Members, type MembersOptions } from './members.ts'
import { PoolMemory } from './pool-memory.ts'
import { TimedWalk } from './timed-walk.ts'
import { Walk } from './walk.ts'

export interface Pool {
  readonly name: string
  /** Has one of the backends answer. */
  serve(exchange: Exchange): void
  /** Keeps no connection any more; exchanges in hand go on. */
  close(): void
}

export interface PoolOptions extends MembersOptions {
  /** How long a tunnel may be silent, ms. */
  readonly tunnelIdleMs?: number
  /** Folder for request bodies too large for memory; the system's for temporary files by default. */
  readonly spool?: string
  /** Takes lines of what backends report; by default our stderr does. */
  readonly log?: (line: string) => void
  /** What its files hold. */
  readonly files?: PoolFiles | undefined
  /** Of its persistence: see allocatePersistence. */
  readonly belongings?: SharedArrayBuffer | undefined
  /** Where connections to a server are counted. */
  readonly tallyOf?: (server: number) => Tally
}

/** What a transport needs of a pool's plan. */
export type TransportPlan = Omit<PoolPlan, 'name' | 'schedule' | 'servers'>
type TransportOptions = Omit<PoolOptions, 'tallyOf'> & { readonly tally?: Tally | null }

/** How a server of the pool is spoken to. */
export function createTransport(
  target: Pick<TargetPlan, 'name' | 'scheme' | 'address'>,
  plan: TransportPlan,
  options: TransportOptions = {},
): Transport {
  const pool = { ...plan, ...options }
  if (target.scheme === 'https') return http1(target, { ...pool, opener: secured(target, pool) })
  if (target.scheme === 'http') return http1(target, pool)
  if (target.scheme === 'h2c') return http2(target, pool, null)
  if (target.scheme === 'h2') {
    const openers = { h2: secured(target, pool, ['h2']), http1: secured(target, pool) }
    return http2(target, pool, openers)
  }
  const describe = describeBy(pool.variables, pool.preserveHost ? '' : ownHost(target.address))
  switch (target.scheme) {
    case 'uwsgi':
    case 'puwsgi':
      return uwsgi(target, { ...pool, modifier1: pool.variables.modifier1 }, describe)
    case 'fastcgi':
      return fastcgi(target, pool, describe)
    default:
      return scgi(target, pool, describe)
  }
}

function secured(
  target: Pick<TargetPlan, 'name' | 'address'>,
  { tls = PLAIN_TLS, files = NO_FILES, proxyProtocol, ...pool }: TransportPlan & TransportOptions,
  alpn: readonly string[] = tls.alpn,
): Opener {
  const complain = pool.log ?? ((line: string): void => console.error(line))
  const context = secureContext(tls, files)
  return new TlsOpener(target, {
    plan: { ...tls, alpn },
    context,
    proxyProtocol: proxyProtocol ?? null,
    complain,
  })
}

function isHttp({ scheme }: Pick<TargetPlan, 'scheme'>): boolean {
  return ['http', 'https', 'h2', 'h2c'].includes(scheme)
}

export function createPool(plan: PoolPlan, options: PoolOptions = {}): Pool {
  const memory = options.memory ?? PoolMemory.allocate(plan)
  const persistence = createPersistence(plan, {
    memory: options.belongings,
    secret: options.files?.secret,
  })
  const members = createMembers(
    plan,
    { ...options, memory, whose: persistence },
    (target, index) => {
      const tally = options.tallyOf?.(index) ?? null
      const transport = createTransport(target, plan, { ...options, tally })
      return persistence === null ? transport : marking(transport, persistence, index)
    },
  )
  const care = carefully(plan, members, memory, persistence, options)
  const OneWalk = members.tiers.some(({ scheduler }) => scheduler.timed) ? TimedWalk : Walk
  const walk =
    care === null
      ? (exchange: Exchange): void => new OneWalk(exchange, members).next(null)
      : (exchange: Exchange): void => new CarefulWalk(exchange, care).begin()
  // The others must tell the length of a body before it.
  const onlyHttp = plan.servers.every(isHttp)
  return {
    name: plan.name,
    serve: (exchange) => {
      if (onlyHttp || !exchange.fields.chunked) walk(exchange)
      else gathered(exchange, options.spool ?? tmpdir(), walk)
    },
    close: () => {
      care?.close()
      for (const { targets } of members.tiers) {
        for (const { transport } of targets) transport.close()
      }
    },
  }
}

/** Null: nothing but the next server is asked for when one fails. */
function carefully(
  plan: PoolPlan,
  members: Members,
  memory: SharedArrayBuffer,
  whose: Persistence | null,
  { log = (line: string): void => console.error(line) }: PoolOptions,
): Care | null {
  const { resilience } = plan
  if (resilience === undefined) return null
  const cells = new PoolMemory(plan, memory).pool
  return cells === null ? null : new Care({ ...plan, resilience }, members, cells, whose, log)
}
