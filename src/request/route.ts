/**
 * Host and path to handler. The most specific wins and order never matters: an exact path, then a
 * regular expression (the longest first), then the longest prefix.
 */
import { type HandlerPlan, type HostPlan, type RoutePlan, WHOLE_SITE } from '../site/plan.ts'
import { decodePath } from '../wire/request-line.ts'
import type { Exchange, Handler } from './exchange.ts'

/** What answers a route: while its host is open, and while it is closed for maintenance. */
export interface Doors {
  readonly open: Handler
  readonly shut: Handler
}

export interface Route {
  /** Its place among all routes of the Plan, from 1. */
  readonly number: number
  /** Another one while its host is closed for maintenance. */
  handler: Handler
  /** The literal prefix, '' for a regular expression. */
  readonly prefix: string
  readonly maxBody: number
  readonly source: string
  /** It answers without TLS, too, where everybody else is sent to where there is. */
  readonly plainly: boolean
}

export interface Match {
  readonly route: Route
  readonly captures: readonly string[] | null
}

/** All routes of a site in the order of their numbers, the first of which is 1. */
export function routesOf(hosts: readonly HostPlan[]): readonly NumberedRoute[] {
  return hosts.flatMap(({ name, routes }) => routes.map((plan) => ({ host: name, plan })))
}

export interface NumberedRoute {
  readonly host: string
  readonly plan: RoutePlan
}

/** What answers a route, from the plan of both. */
export type MakeHandler = (plan: HandlerPlan, route: RoutePlan) => Handler

/** The site's own pages for errors. */
export type Pages = NonNullable<Exchange['pages']>

/** Those of what no route of a host takes, or no host where there is none; null: the usual ones. */
export type MakePages = (host: HostPlan | null) => Pages | null

/** The routes of one host. */
export class HostRoutes {
  /** Of what no route takes. */
  readonly pages: Pages | null
  /** In the order of the plan. */
  readonly all: readonly Route[]
  readonly #exact = new Map<string, Match>()
  readonly #patterns: { pattern: RegExp; route: Route }[] = []
  readonly #prefixes: Match[] = []

  /** `first`: the number of its first route. */
  constructor(plan: HostPlan, make: MakeHandler, first: number, pages: Pages | null) {
    this.pages = pages
    let number = first
    const all: Route[] = []
    this.all = all
    for (const each of plan.routes) {
      const { match, maxBody, source } = each
      const handler = make(each.handler, each)
      const path = match.kind === 'regex' ? utf8(match.path) : decodePath(utf8(match.path))
      const prefix = match.kind === 'regex' ? '' : path
      const plainly = each.handler.kind === 'health'
      const route: Route = { number: number++, handler, prefix, maxBody, source, plainly }
      all.push(route)
      if (match.kind === 'exact') this.#exact.set(path, { route, captures: null })
      else if (match.kind === 'prefix') this.#prefixes.push({ route, captures: null })
      else this.#patterns.push({ pattern: new RegExp(path), route })
    }
    this.#prefixes.sort((a, b) => b.route.prefix.length - a.route.prefix.length)
    this.#patterns.sort(
      (a, b) =>
        b.pattern.source.length - a.pattern.source.length ||
        (a.pattern.source < b.pattern.source ? -1 : 1),
    )
  }

  find(path: string): Match | null {
    // To be looked up, a text that was never seen has to be made part of a table of V8's first.
    const exact = this.#exact.size === 0 ? undefined : this.#exact.get(path)
    if (exact !== undefined) return exact
    for (const { pattern, route } of this.#patterns) {
      const found = pattern.exec(path)
      if (found !== null) return { route, captures: found.slice(1).map((capture) => capture ?? '') }
    }
    for (const match of this.#prefixes) if (path.startsWith(match.route.prefix)) return match
    return null
  }

  /** `/blog` was asked for and only `/blog/` is routed: the visitor belongs there. */
  lacksSlash(path: string): boolean {
    if (path.endsWith('/')) return false
    for (const { route } of this.#prefixes) {
      const { prefix } = route
      if (prefix.length === path.length + 1 && prefix.startsWith(path))
        return !this.#exact.has(path)
    }
    return false
  }
}

/** Text of a site file as a request brings it: one latin-1 character a byte. */
function utf8(text: string): string {
  return Buffer.from(text).toString('latin1')
}

/** All hosts of a site: exact names, then the longest `*.` suffix, then `*`. */
export class Router {
  /** Of what no host takes. */
  readonly pages: Pages | null
  readonly #hosts = new Map<string, HostRoutes>()
  readonly #suffixes: { suffix: string; routes: HostRoutes }[] = []
  readonly #any: HostRoutes | null
  readonly #plans: readonly HostPlan[]
  readonly #routes: readonly Route[]

  constructor(hosts: readonly HostPlan[], make: MakeHandler, makePages: MakePages = () => null) {
    this.pages = makePages(null)
    let any: HostRoutes | null = null
    let first = 1
    const all: Route[] = []
    this.#plans = hosts
    this.#routes = all
    for (const host of hosts) {
      const routes = new HostRoutes(host, make, first, makePages(host))
      first += host.routes.length
      all.push(...routes.all)
      if (host.name === '*') any = routes
      else if (host.name.startsWith('*.'))
        this.#suffixes.push({ suffix: host.name.slice(1), routes })
      else this.#hosts.set(host.name, routes)
    }
    this.#any = any
    this.#suffixes.sort((a, b) => b.suffix.length - a.suffix.length)
  }

  /**
   * Has routes of closed hosts answered by what takes their place, the others by what they are there for.
   * `doors`: of each route, in the order of their numbers.
   */
  close(closed: readonly string[], doors: readonly Doors[]): void {
    const whole = closed.includes(WHOLE_SITE)
    let next = 0
    for (const { name, routes } of this.#plans) {
      const shuts = whole || closed.includes(name)
      for (const _ of routes) {
        const { open, shut } = doors[next]!
        this.#routes[next++]!.handler = shuts ? shut : open
      }
    }
  }

  /** `name` in lower case, without a port. A trailing dot is the same name (RFC 1034 §3.1). */
  host(name: string): HostRoutes | null {
    const exact = this.#hosts.size === 0 ? undefined : this.#hosts.get(name)
    if (exact !== undefined) return exact
    if (name.endsWith('.') && !name.endsWith('..')) return this.host(name.slice(0, -1))
    for (const { suffix, routes } of this.#suffixes) if (name.endsWith(suffix)) return routes
    return this.#any
  }
}
