/** Lets visitors in by their address. */
import { BlockList, isIP } from 'node:net'
import { PorticoError } from '../errors.ts'
import type { Handler } from '../request/exchange.ts'
import type { AccessPlan } from '../site/filters-plan.ts'
import type { Filter } from './filter.ts'

export const access: Filter<AccessPlan> = (plan, next) => {
  const admits = judge(plan)
  return {
    name: next.name,
    handle: (exchange) =>
      admits(exchange.peer.address) ? next.handle(exchange) : exchange.fail(FORBIDDEN),
    close: () => next.close?.(),
  } satisfies Handler
}

/** Made once: a stack for everybody who is refused is dear. */
const FORBIDDEN = new PorticoError('FORBIDDEN')

/** Visitors that are remembered, so that a list is not searched for each request. */
const MOST_KNOWN = 4096

/** IPv4 addresses in the clothes of IPv6 (RFC 4291 §2.5.5.2). */
const MAPPED = new BlockList()
MAPPED.addSubnet('::ffff:0:0', 96, 'ipv6')

/** Networks of one size, which are looked at together. */
interface Tier {
  readonly bits: number
  readonly deny: BlockList
  readonly allow: BlockList
}

/**
 * Whether an address is let in: the most specific network that has it decides, of equal ones that which is
 * denied. Who is in none is let in unless there is a list of those who are.
 */
export function judge({ allow, deny }: AccessPlan): (address: string) => boolean {
  const known = new Map<string, boolean>()
  const four = tiersOf(allow, deny, 'ipv4')
  const six = tiersOf(allow, deny, 'ipv6')
  const otherwise = allow.length === 0
  const decide = (told: string): boolean => {
    // Of `fe80::1%eth0` the zone is this machine's own affair.
    const address = told.split('%', 1)[0]!
    if (address === '') {
      for (const word of ['unix', 'all']) {
        if (deny.includes(word)) return false
        if (allow.includes(word)) return true
      }
      return otherwise
    }
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    // Some proxies tell of 192.0.2.1 as `::ffff:192.0.2.1`: it is the same visitor.
    const isSix = family === 'ipv6' && !MAPPED.check(address, family)
    for (const tier of isSix ? six : four) {
      if (tier.deny.check(address, family)) return false
      if (tier.allow.check(address, family)) return true
    }
    return otherwise
  }
  return (address) => {
    let admitted = known.get(address)
    if (admitted === undefined) {
      admitted = decide(address)
      if (known.size >= MOST_KNOWN) known.clear()
      known.set(address, admitted)
    }
    return admitted
  }
}

/** The longest prefix first. */
function tiersOf(
  allow: readonly string[],
  deny: readonly string[],
  family: 'ipv4' | 'ipv6',
): Tier[] {
  const tiers = new Map<number, Tier>()
  for (const [list, networks] of [
    ['allow', allow],
    ['deny', deny],
  ] as const) {
    for (const network of networks) {
      const whole = family === 'ipv6' ? '::/0' : '0.0.0.0/0'
      const [address = '', size] = (network === 'all' ? whole : network).split('/')
      if (size === undefined || (isIP(address) === 6) !== (family === 'ipv6')) continue
      const bits = Number(size)
      const tier = tiers.get(bits) ?? { bits, deny: new BlockList(), allow: new BlockList() }
      tiers.set(bits, tier)
      tier[list].addSubnet(address, bits, family)
    }
  }
  return [...tiers.values()].sort((one, other) => other.bits - one.bits)
}
