/** What answers a route. */
import { dirname, join, relative, resolve } from 'node:path'
import { looksLikeAddress } from './address.ts'
import { deadlinesOf, drawDeadlines } from './draw-deadline.ts'
import { isLong } from './draw-edits.ts'
import type { Pools } from './draw-pools.ts'
import {
  absolutePath,
  type Drawing,
  existingFolder,
  isExecutable,
  stat,
  textAsWritten,
} from './drawing.ts'
import { nearest } from './nearest.ts'
import type {
  CgiPlan,
  DeadlinesPlan,
  FilesPlan,
  HandlerPlan,
  HealthPlan,
  RouteMatch,
  SendFilesPlan,
} from './plan.ts'
import { type KeyPath, quote } from './problem.ts'
import type { HandlerSettings } from './settings/handlers.ts'
import { variables } from './settings/pools.ts'
import { namesAt, nodeAt } from './tree.ts'

type Files = Extract<HandlerSettings, { files: string }>
type Proxy = Extract<HandlerSettings, { proxy: unknown }>
type App = Extract<HandlerSettings, { app: string }>
type Health = Extract<HandlerSettings, { health: unknown }>
type Cgi = Extract<HandlerSettings, { cgi: string }>
type Redirect = Extract<HandlerSettings, { redirect: string }>
type Respond = Extract<HandlerSettings, { respond: string }>

export function drawHandler(
  drawing: Drawing,
  path: KeyPath,
  handler: HandlerSettings,
  match: RouteMatch,
  pools: Pools,
  usedApps: Set<string>,
): HandlerPlan {
  if ('files' in handler) return drawFiles(drawing, path, handler)
  if ('app' in handler) {
    checkName(drawing, [...path, 'app'], handler.app, 'apps', 'application')
    usedApps.add(handler.app)
    const sendFiles = drawSendFiles(drawing, [...path, 'send-files'], handler['send-files'])
    const { deadline, priority } = handler
    const deadlines = deadline === undefined ? null : drawRouteDeadlines(drawing, path, handler)
    return { kind: 'app', app: handler.app, deadlines, urgent: priority === 'high', sendFiles }
  }
  if ('proxy' in handler) {
    const sendFiles = drawSendFiles(drawing, [...path, 'send-files'], handler['send-files'])
    return { kind: 'proxy', pool: poolOf(drawing, path, handler, pools), sendFiles }
  }
  if ('cgi' in handler) return drawCgi(drawing, path, handler)
  if ('health' in handler) return drawHealth(drawing, path, handler)
  if ('metrics' in handler) return { kind: 'metrics' }
  if ('redirect' in handler) {
    checkRedirect(drawing, [...path, 'redirect'], handler, match)
    return { kind: 'redirect', to: handler.redirect, status: handler.status }
  }
  return drawRespond(drawing, path, handler)
}

function drawFiles(drawing: Drawing, path: KeyPath, handler: Files): FilesPlan {
  const root = existingFolder(drawing, [...path, 'files'], handler.files)
  const { report } = drawing
  for (const name of handler.index) {
    if (name.includes('/')) {
      report.problem([...path, 'index'], `${quote(name)} is not the name of a file`)
    }
  }
  if (handler.fallback !== '') checkFallback(drawing, [...path, 'fallback'], root, handler.fallback)
  return {
    kind: 'files',
    root,
    index: handler.index,
    cacheSeconds: handler.cache === 0 ? -1 : Math.floor(handler.cache / 1000),
    fallback: handler.fallback.replace(/^\/+/, ''),
    list: handler.list,
    precompressed: handler.precompressed,
  }
}

function checkFallback({ report }: Drawing, path: KeyPath, root: string, fallback: string): void {
  const file = join(root, fallback)
  const inside = relative(root, resolve(file))
  if (inside.startsWith('..')) report.problem(path, `outside of the folder: ${file}`)
  else if (stat(root) !== undefined && stat(file)?.isFile() !== true) {
    report.problem(path, `no such file: ${file}`)
  }
}

/** A reference to something that has a name elsewhere in the site file. */
function checkName(
  { root, report }: Drawing,
  path: KeyPath,
  name: string,
  section: 'apps' | 'pools',
  what: string,
): boolean {
  const known = namesAt(root, [section])
  if (known.includes(name)) return true
  const meant = nearest(name, known)
  const some =
    known.length === 0 ? `one in ${section}, which is empty` : known.slice(0, 20).join(', ')
  report.problem(path, `no such ${what}: ${quote(name)}`, {
    nearest: meant,
    expected: what === 'pool' && known.length === 0 ? 'an address such as localhost:8000' : some,
  })
  return false
}

function poolOf(drawing: Drawing, path: KeyPath, handler: Proxy, pools: Pools): string {
  const { proxy } = handler
  const here = [...path, 'proxy']
  if (typeof proxy !== 'string')
    return pools.anonymous(proxy, handler, path, (index) => [...here, index])
  const named = namesAt(drawing.root, ['pools']).includes(proxy)
  if (!named && looksLikeAddress(proxy)) return pools.anonymous([proxy], handler, path, () => here)
  if (named || checkName(drawing, here, proxy, 'pools', 'pool')) pools.use(proxy)
  for (const key of Object.keys(variables)) {
    if (nodeAt(drawing.root, [...path, key]) === undefined) continue
    const expected = `${key} in the pool ${quote(proxy)}`
    drawing.report.problem([...path, key], 'goes with an address, not with a pool’s name', {
      expected,
      key: true,
    })
  }
  return proxy
}

function drawSendFiles(
  drawing: Drawing,
  path: KeyPath,
  folders: Readonly<Record<string, string | number | boolean>>,
): SendFilesPlan {
  return Object.fromEntries(
    Object.entries(folders).map(([prefix, folder]) => [
      prefix,
      existingFolder(drawing, [...path, prefix], String(folder)),
    ]),
  )
}

function drawCgi(drawing: Drawing, path: KeyPath, handler: Cgi): CgiPlan {
  const here = [...path, 'cgi']
  const root = absolutePath(drawing, here, handler.cgi)
  const found = stat(root)
  if (found === undefined) drawing.report.problem(here, `no such folder or file: ${root}`)
  else if (found.isFile() && !isExecutable(root)) {
    drawing.report.problem(here, `this file cannot be run: ${root}`, { expected: 'chmod +x' })
  }
  const folder = found?.isFile() === true ? dirname(root) : root
  const { softMs, hardMs, queueMs } = drawDeadlines(
    drawing,
    [...path, 'deadline'],
    handler.deadline,
  )
  return {
    kind: 'cgi',
    root,
    documentRoot:
      handler.root === '' ? folder : existingFolder(drawing, [...path, 'root'], handler.root),
    env: textAsWritten(drawing, [...path, 'env'], handler.env),
    index: handler.index,
    concurrency: handler.concurrency,
    queue: handler.queue,
    deadlineMs: hardMs,
    softDeadlineMs: softMs,
    queueDeadlineMs: queueMs,
  }
}

function drawRouteDeadlines(
  drawing: Drawing,
  path: KeyPath,
  { app, deadline = {} }: App,
): DeadlinesPlan {
  const own = drawing.settings.apps[app]?.deadline
  const usual = own === undefined ? undefined : deadlinesOf(own)
  return drawDeadlines(drawing, [...path, 'deadline'], deadline, usual)
}

function drawHealth(drawing: Drawing, path: KeyPath, { health, leave }: Health): HealthPlan {
  const here = [...path, 'health']
  if (health === 'live') return { kind: 'health', apps: [], leave }
  if (health === 'all') {
    const apps = namesAt(drawing.root, ['apps'])
    if (apps.length === 0) {
      drawing.report.problem(here, 'there is no application', { expected: 'live' })
    }
    return { kind: 'health', apps, leave }
  }
  const apps = typeof health === 'string' ? [health] : health
  for (const [index, name] of apps.entries()) {
    const place = typeof health === 'string' ? here : [...here, index]
    checkName(drawing, place, name, 'apps', 'application')
  }
  return { kind: 'health', apps: [...new Set(apps)], leave }
}

const VARIABLES = ['path', 'query', 'host']

function checkRedirect(
  { report }: Drawing,
  path: KeyPath,
  { redirect }: Redirect,
  match: RouteMatch,
): void {
  if (!/^(\/|\$|https?:\/\/)/.test(redirect)) {
    report.problem(path, 'not a path and not a URL', { expected: '/path or https://host/path' })
  }
  // An alternative that always matches shows how many groups the expression has.
  const groups =
    match.kind === 'regex' ? (new RegExp(`${match.path}|`).exec('')?.length ?? 1) - 1 : 0
  for (const [variable, name = ''] of redirect.matchAll(/\$([A-Za-z]\w*|\d)/g)) {
    if (/^\d$/.test(name)) {
      if (Number(name) >= 1 && Number(name) <= groups) continue
      const has = match.kind === 'regex' ? `has ${groups} groups` : 'is not a regular expression'
      report.problem(path, `${variable} stands for nothing: the path ${has}`)
    } else if (!VARIABLES.includes(name)) {
      const meant = nearest(name, VARIABLES)
      report.problem(path, `no such variable: ${variable}`, {
        nearest: meant === '' ? '' : `$${meant}`,
        expected: '$path, $query or $host',
      })
    }
  }
}

/** Said by the server itself for every answer (RFC 9112 §6). */
const FRAMING = ['content-length', 'transfer-encoding', 'connection', 'content-type']

function drawRespond(drawing: Drawing, path: KeyPath, handler: Respond): HandlerPlan {
  const { report } = drawing
  const headers: Record<string, string> = {}
  // The longer form is a filter's.
  const own = handler.headers === undefined || isLong(handler.headers) ? {} : handler.headers
  for (const [name, value] of Object.entries(own)) {
    const here = [...path, 'headers', name]
    const lower = name.toLowerCase()
    if (FRAMING.includes(lower)) {
      const expected = lower === 'content-type' ? 'the key type' : ''
      report.problem(here, `${quote(name)} is set by the server`, { key: true, expected })
    }
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(String(value))) {
      report.problem(here, 'a header field is one line, without control characters')
    }
    if (/\$[a-z]/.test(String(value))) {
      const expected = `headers: { set: { ${name}: … } } where it is a variable`
      report.warning(here, 'with `respond` this is said as it stands, with its $', { expected })
    }
    headers[name] = String(value)
  }
  // RFC 9110 §15.3.5, §15.4.5: these never have a body.
  if ((handler.status === 204 || handler.status === 304) && handler.respond !== '') {
    report.problem([...path, 'respond'], `an answer with status ${handler.status} has no text`, {
      expected: '""',
    })
  }
  return {
    kind: 'respond',
    status: handler.status,
    body: handler.respond,
    type: handler.type,
    headers,
  }
}
