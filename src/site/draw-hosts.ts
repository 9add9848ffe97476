/** `hosts:` and `routes:` → the Plan's hosts and routes. */
import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import { Filters } from './draw-filters.ts'
import { drawHandler } from './draw-handler.ts'
import type { Pools } from './draw-pools.ts'
import type { Drawing } from './drawing.ts'
import type { ListenerPlan, RouteMatch, RoutePlan, SitePlan } from './plan.ts'
import { type KeyPath, quote } from './problem.ts'
import type { HandlerSettings } from './settings/handlers.ts'
import { locate } from './tree.ts'

/** `listeners`: where none takes requests, there need not be any route. */
export function drawHosts(
  drawing: Drawing,
  pools: Pools,
  usedApps: Set<string>,
  listeners: readonly ListenerPlan[],
): Pick<SitePlan, 'hosts' | 'errors'> {
  const { settings, report } = drawing
  const hosts = new Map<string, Map<string, RoutePlan>>()
  const filters = new Filters(drawing, pools, hostName)
  const add = (name: string, path: KeyPath, routes: Record<string, HandlerSettings>): void => {
    const known = hosts.get(name) ?? new Map<string, RoutePlan>()
    hosts.set(name, known)
    for (const [text, handler] of Object.entries(routes)) {
      const here = [...path, text]
      const match = parseMatch(drawing, here, text)
      if (match === undefined) continue
      const first = known.get(text)
      if (first !== undefined) {
        report.problem(here, `this path has a handler already, in ${first.source}`, { key: true })
        continue
      }
      const before = filters.draw(here, handler, name)
      known.set(text, {
        match,
        ...(before === undefined ? {} : { filters: before }),
        handler: drawHandler(drawing, here, handler, match, pools, usedApps),
        maxBody: bodyLimit(handler.body ?? settings.limits.body),
        source: sourceOf(drawing, here),
      })
    }
  }
  const written = new Map<string, string>()
  for (const [text, routes] of Object.entries(settings.hosts)) {
    const path = ['hosts', text]
    const name = hostName(text)
    const twin = name === undefined ? undefined : written.get(name)
    if (name === undefined) {
      const expected = 'www.example.com, *.example.com or *, without scheme, port and path'
      report.problem(path, `not a host name: ${quote(text)}`, { expected, key: true })
    } else if (twin !== undefined) {
      report.problem(path, `the same host as ${quote(twin)}`, { key: true })
    } else {
      written.set(name, text)
      add(name, path, routes)
    }
  }
  add('*', ['routes'], settings.routes)
  const plans = [...hosts].map(([name, routes]) => ({
    name,
    routes: [...routes.values()],
    ...filters.errors(name),
  }))
  const serving = plans.filter(({ routes }) => routes.length > 0)
  const excused = [[], ['hosts'], ['routes']].some((path) => report.isBroken(path))
  const asked = listeners.some(({ stream, mail }) => stream === undefined && mail === undefined)
  if (serving.length === 0 && !excused && asked) {
    const [only = 'shop'] = Object.keys(settings.apps)
    report.problem([], 'nothing to serve', {
      expected: `routes: { /: { app: ${only} } }, or hosts`,
    })
  }
  return { hosts: serving, ...filters.errors(null) }
}

/** 0 is "no limit" in a site file. */
export function bodyLimit(bytes: number): number {
  return bytes === 0 ? Number.MAX_SAFE_INTEGER : bytes
}

function sourceOf({ report }: Drawing, path: KeyPath): string {
  const place = report.place(path, { key: true })
  const { line, column } = locate(place)
  return line === 0 ? place.source.file : `${place.source.file}:${line}:${column}`
}

/** In lower case and ASCII, as it comes in a request; undefined when it is none. */
function hostName(text: string): string | undefined {
  if (text === '*') return text
  const wildcard = text.startsWith('*.') ? '*.' : ''
  const bare = text.slice(wildcard.length).replace(/\.$/, '')
  if (wildcard === '' && isIP(bare.replace(/^\[|\]$/g, '')) !== 0) return addressHost(bare)
  const ascii = domainToASCII(bare)
  const valid = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/.test(
    ascii,
  )
  return valid && ascii.length <= 253 ? wildcard + ascii : undefined
}

/** An IPv6 address has brackets in a Host field (RFC 3986 §3.2.2). */
function addressHost(text: string): string {
  const plain = text.replace(/^\[|\]$/g, '').toLowerCase()
  return plain.includes(':') ? `[${plain}]` : plain
}

function parseMatch({ report }: Drawing, path: KeyPath, text: string): RouteMatch | undefined {
  const wrong = (message: string, expected = ''): undefined => {
    report.problem(path, message, { expected, key: true })
    return undefined
  }
  if (text.startsWith('~')) {
    const source = text.slice(1).trim()
    if (source === '') return wrong('an empty regular expression')
    try {
      new RegExp(source)
      return { kind: 'regex', path: source }
    } catch (error) {
      return wrong(`not a regular expression: ${error instanceof Error ? error.message : ''}`)
    }
  }
  if (/[?#]/.test(text))
    return wrong('only the path is matched: no ? and no #', 'a path such as /shop/')
  if (/[\x00-\x20\x7f]/.test(text))
    return wrong('a path holds no blanks', 'a path such as /shop/, with %20 for a blank')
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return wrong('a % without two hex digits')
  if (text.split('/').some((part) => part === '.' || part === '..') || text.includes('//')) {
    return wrong('no request has such a path: . and .. and // are resolved before')
  }
  return { kind: text.endsWith('/') ? 'prefix' : 'exact', path: text }
}
