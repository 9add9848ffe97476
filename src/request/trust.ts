/**
 * Whom we believe about the visitor. A request from a trusted network is its visitor's, whom the fields
 * name: the last hop that is not itself a trusted proxy. From anybody else such fields are dropped.
 */
import { BlockList, isIP } from 'node:net'
import { readForwarded, speaksOfTheVisitor } from '../wire/forwarded.ts'
import type { RequestFields } from '../wire/request-fields.ts'
import type { Peer } from './exchange.ts'
import type { TlsFacts } from './tls-facts.ts'

export interface Visitor {
  readonly peer: Peer
  readonly fields: RequestFields
}

export class Trust {
  readonly #networks = new BlockList()
  readonly #unix: boolean
  /** Fields without what nobody should believe; shared by requests with the same block. */
  readonly #plain = new WeakMap<RequestFields, RequestFields>()

  /** `networks`: `address/bits`, or `unix` for peers without an address. */
  constructor(networks: readonly string[]) {
    this.#unix = networks.includes('unix')
    for (const network of networks) {
      const [address = '', bits = ''] = network.split('/')
      if (network !== 'unix') this.#networks.addSubnet(address, Number(bits), family(address))
    }
  }

  /** The visitor of a request whose fields speak of one (`fields.claims`). */
  visitor(peer: Peer, fields: RequestFields): Visitor {
    if (!this.trusts(peer.address)) return { peer, fields: this.#withoutClaims(fields) }
    const { hops, scheme } = readForwarded(fields)
    let { address } = peer
    for (let i = hops.length - 1; i >= 0 && this.trusts(address); i--) {
      // Behind what is no address nobody can be told apart: the last known one stands for them.
      if (hops[i] === '') break
      address = hops[i]!
    }
    const known = scheme === 'http' || scheme === 'https' ? scheme : peer.scheme
    return { peer: new NamedPeer(peer, address, known), fields }
  }

  /** Whether what comes from there is believed. */
  trusts(address: string): boolean {
    return address === '' ? this.#unix : this.#networks.check(address, family(address))
  }

  #withoutClaims(fields: RequestFields): RequestFields {
    const known = this.#plain.get(fields)
    if (known !== undefined) return known
    const kept = fields.names.map((name) => !speaksOfTheVisitor(name))
    const lines = fields.raw.split('\r\n')
    const plain: RequestFields = {
      ...fields,
      names: fields.names.filter((_, i) => kept[i]),
      values: fields.values.filter((_, i) => kept[i]),
      raw: `${lines.filter((_, i) => kept[i] === true).join('\r\n')}\r\n`,
      claims: false,
      encoded: null,
    }
    this.#plain.set(fields, plain)
    return plain
  }
}

/** The visitor whom a trusted proxy named. */
class NamedPeer implements Peer {
  readonly #told: Peer
  readonly address: string
  readonly scheme: 'http' | 'https'

  constructor(told: Peer, address: string, scheme: 'http' | 'https') {
    this.#told = told
    this.address = address
    this.scheme = scheme
  }

  /** Of the visitor's port nobody speaks. */
  get port(): number {
    return this.address === this.#told.address ? this.#told.port : 0
  }

  get localAddress(): string {
    return this.#told.localAddress
  }

  get localPort(): number {
    return this.#told.localPort
  }

  get proxy(): string {
    return this.#told.address
  }

  /** Of the proxy's own connection: it is the proxy that has shown a certificate. */
  get tls(): TlsFacts | undefined {
    return this.#told.tls
  }
}

function family(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4'
}
