/** The requests that one server thread has in hand, looked up when somebody asks: noting them costs nothing. */
import type { Exchange } from '../request/exchange.ts'
import type { RoutedExchange } from '../request/flow.ts'
import { ExchangeThrough } from '../request/through.ts'
import type { ServedApp } from './apps.ts'
import type { Gateways } from './gateways.ts'
import type { ThreadRequest } from './messages.ts'

/** Longer targets are cut: a list of requests is for people. */
const LONGEST_TARGET = 1_024
/** RFC 1035 §2.3.4. */
const LONGEST_HOST = 255

/** The oldest `most` first, and how many there are. */
export function requestsInHand(
  gateways: Gateways,
  apps: Iterable<ServedApp>,
  most: number,
): { total: number; requests: ThreadRequest[] } {
  const workers = new Map<Exchange, { slot: number; pid: number }>()
  for (const app of apps) {
    app.eachInHand((exchange, slot, pid) => workers.set(visitors(exchange), { slot, pid }))
  }
  const all: RoutedExchange[] = []
  gateways.eachExchange((exchange) => all.push(exchange))
  const now = performance.now()
  const oldest = all.sort((a, b) => a.began - b.began).slice(0, most)
  const requests = oldest.map((exchange): ThreadRequest => {
    const { line, fields, route, began, peer, sent, status } = exchange
    const { slot, pid } = workers.get(exchange) ?? { slot: -1, pid: 0 }
    return {
      method: line.method,
      target: line.target.slice(0, LONGEST_TARGET),
      host: (line.host === '' ? fields.host : line.host).slice(0, LONGEST_HOST),
      route,
      slot,
      pid,
      ageMs: Math.round(now - began),
      peer: peer.address,
      sent,
      status,
    }
  })
  return { total: all.length, requests }
}

/** What the gateway holds, beneath all that stands before it. */
function visitors(exchange: Exchange): Exchange {
  let one = exchange
  while (one instanceof ExchangeThrough) one = one.visitor
  return one
}
