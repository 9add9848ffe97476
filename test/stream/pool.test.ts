/** Servers that connections were refused by, and are tried again. */
import { expect, it } from 'vitest'
import { PoolMemory } from '../../src/balance/pool-memory.ts'
import type { Peer } from '../../src/request/exchange.ts'
import { type Server, StreamPool } from '../../src/stream/pool.ts'
import { Tally } from '../../src/transports/backend/tally.ts'
import { passivePlan, resilience } from '../balance/resilience.ts'
import { stoppedClock } from '../stopped-clock.ts'
import { poolPlan, target } from '../transports/front.ts'

const peer: Peer = {
  address: '127.0.0.1',
  port: 1,
  localAddress: '127.0.0.1',
  localPort: 2,
  scheme: 'http',
}

const pass = stoppedClock(1_000_000)

const said: string[] = []

/** Of two servers the first one has been refused by once, and has rested. */
function restedPool(): { pool: StreamPool; rested: string } {
  said.length = 0
  const plan = poolPlan(
    [target(1), target(2)],
    resilience({ passive: passivePlan({ failures: 1, restMs: 5_000 }) }),
  )
  const pool = new StreamPool(plan, {
    memory: PoolMemory.allocate(plan),
    belongings: undefined,
    tallyOf: () => new Tally(new Float64Array(8), 0),
    complain: (line) => said.push(line),
  })
  const server = pool.serversFor(peer).next()!
  pool.notReached(server, null)
  pass(5_001)
  return { pool, rested: server.name }
}

/** The next connection that is a trial. */
function nextTrial(pool: StreamPool): {
  server: Server
  servers: ReturnType<StreamPool['serversFor']>
} {
  for (let i = 0; i < 4; i++) {
    const servers = pool.serversFor(peer)
    const server = servers.next()!
    if (servers.trial !== null) return { server, servers }
    pool.release(server, null)
  }
  throw new Error('no trial')
}

it('a visitor who leaves before it is known makes way for another trial at once', () => {
  const { pool, rested } = restedPool()
  const first = nextTrial(pool)
  expect(() => nextTrial(pool)).toThrow('no trial')
  pool.release(first.server, first.servers.trial)
  const second = nextTrial(pool)
  expect(second.server.name).toBe(rested)
  pool.reached(second.server, second.servers.trial, 1)
  expect(said.at(-1)).toBe(`pool backend: ${rested} works again`)
})

it('a connection that ends after it was made gives nothing back', () => {
  const { pool } = restedPool()
  const { server, servers } = nextTrial(pool)
  pool.reached(server, servers.trial, 1)
  pool.release(server, servers.trial)
  expect(() => nextTrial(pool)).toThrow('no trial')
  expect(server.breaker?.tripped).toBe(false)
})
