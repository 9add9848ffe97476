/** Figures of each server of a pool. */
import type { ServerHealth } from '../../balance/health-report.ts'
import { counter, gauge, type Metric, type Of, type PlainMetric } from '../metric.ts'

function perServer(value: Of<ServerHealth, number>): PlainMetric['read'] {
  return ({ pools }) =>
    Object.entries(pools).flatMap(([pool, { servers }]) =>
      servers.map((one) => ({ labels: [pool, one.server], value: value(one) })),
    )
}

const SERVER = ['pool', 'server'] as const

export const POOL_SERVERS: readonly Metric[] = [
  gauge(
    'pool_server_up',
    'pool.{pool}.{server}.up',
    'Whether a server of a pool takes requests: 0 when its check says no, or an administrator.',
    SERVER,
    perServer(({ verdict, order, out }) =>
      verdict === 'down' || order !== 'ready' || out ? 0 : 1,
    ),
  ),
  gauge(
    'pool_server_weight',
    'pool.{pool}.{server}.weight',
    'Its weight, as its check says or the site file.',
    SERVER,
    perServer(({ effective }) => effective),
  ),
  gauge(
    'pool_server_active',
    'pool.{pool}.{server}.active',
    'Requests that it has in hand.',
    SERVER,
    perServer(({ active }) => active),
  ),
  counter(
    'pool_server_connections_opened',
    'pool.{pool}.{server}.opened',
    'Connections made to it since this server process began.',
    SERVER,
    perServer(({ connections }) => connections?.opened ?? 0),
  ),
  counter(
    'pool_server_connections_failed',
    'pool.{pool}.{server}.failed',
    'Connections to it that could not be made: refused, not in time, or without the TLS they need.',
    SERVER,
    perServer(({ connections }) => connections?.failed ?? 0),
  ),
  counter(
    'pool_server_connections_reused',
    'pool.{pool}.{server}.reused',
    'Requests that went to it over a connection that was there already.',
    SERVER,
    perServer(({ connections }) => connections?.reused ?? 0),
  ),
  counter(
    'pool_server_checks',
    'pool.{pool}.{server}.checks',
    'How often it was checked, since this generation began.',
    SERVER,
    perServer(({ checks }) => checks),
  ),
  counter(
    'pool_server_check_failures',
    'pool.{pool}.{server}.check_failures',
    'And how often it was not well.',
    SERVER,
    perServer(({ failures }) => failures),
  ),
  gauge(
    'pool_server_check_seconds',
    'pool.{pool}.{server}.check',
    'How long its last check took.',
    SERVER,
    perServer(({ lastMs }) => lastMs / 1000),
  ),
]
