/** A whole front of ours in the test's process: accepted sockets, gateway, flow, proxy, pool. */

import { createPool, type PoolOptions } from '../../src/balance/pool.ts'
import { Http1Gateway } from '../../src/gateways/http1/gateway.ts'
import { proxy } from '../../src/handlers/proxy.ts'
import { accept } from '../../src/listen/accept.ts'
import { openSockets } from '../../src/listen/open.ts'
import { Counters } from '../../src/request/counters.ts'
import { Flow } from '../../src/request/flow.ts'
import { Router } from '../../src/request/route.ts'
import type { Address, HostPlan, PoolPlan, TargetPlan } from '../../src/site/plan.ts'
import { scheduleOf } from '../../src/site/schedules.ts'

export const MOST_BODY: number = 200 * 1024 * 1024

export interface Front {
  readonly port: number
  /** Closes the pool alone: visitors' connections go on. */
  closePool(): void
  close(): void
}

export function target(address: Address | number, weight = 1): TargetPlan {
  const full: Address =
    typeof address === 'number' ? { kind: 'tcp', host: '127.0.0.1', port: address } : address
  const name = full.kind === 'tcp' ? `${full.host}:${full.port}` : full.path
  return {
    name,
    scheme: 'http',
    address: full,
    weight,
    backup: false,
    down: false,
    maxConnections: 0,
  }
}

export function poolPlan(
  servers: readonly TargetPlan[],
  changes: Partial<PoolPlan> = {},
): PoolPlan {
  return {
    name: 'backend',
    schedule: scheduleOf('round-robin')!,
    servers,
    connectTimeoutMs: 1_000,
    responseTimeoutMs: 5_000,
    keepAlive: 32,
    keepAliveMs: 60_000,
    preserveHost: true,
    variables: { root: '', index: 'index.php', script: '', params: {}, modifier1: 0 },
    ...changes,
  }
}

/** Serves `plan` on a port of the kernel's choice. */
export async function front(plan: PoolPlan, options: PoolOptions = {}): Promise<Front> {
  const pool = createPool(plan, options)
  const host: HostPlan = {
    name: '*',
    routes: [
      {
        match: { kind: 'prefix', path: '/' },
        handler: { kind: 'proxy', pool: plan.name, sendFiles: {} },
        maxBody: MOST_BODY,
        source: 'test',
      },
    ],
  }
  const handler = proxy(pool)
  const counters = Counters.of(Counters.allocate(1), 0)
  const gateway = new Http1Gateway({
    flow: new Flow(new Router([host], () => handler), counters, null),
    counters,
    limits: { line: 8192, head: 65_536, fields: 100, body: MOST_BODY, connections: 10_000 },
    timeouts: {
      headMs: 10_000,
      bodyMs: 10_000,
      idleMs: 60_000,
      sendMs: 10_000,
      abandonMs: 1_000,
      leaveMs: 0,
      stopMs: 1_000,
    },
    serverName: 'Portico',
    dev: false,
  })
  const { address, fds } = await openSockets(
    {
      name: 'test',
      scheme: 'http',
      address: { kind: 'tcp', host: '127.0.0.1', port: 0 },
      backlog: 511,
      proxyProtocol: false,
    },
    1,
    false,
  )
  if (address.kind !== 'tcp') throw new Error('no port')
  const acceptor = accept({
    on: { fd: fds[0]! },
    admit: () => gateway.admit(),
    connect: (socket) => gateway.connect(socket),
    ready: () => {},
    failed: (error) => {
      throw error
    },
  })
  return {
    port: address.port,
    closePool: () => handler.close?.(),
    close: () => {
      acceptor.close()
      gateway.close()
      handler.close?.()
    },
  }
}
