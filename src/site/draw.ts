/** Settings → Plan, with every check that needs more than one setting or the machine. */
import { accessSync, constants } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { defaultAdminPath } from './admin-path.ts'
import { drawAcme } from './draw-acme.ts'
import { drawApps } from './draw-apps.ts'
import { drawBackground } from './draw-background.ts'
import { drawCommons } from './draw-commons.ts'
import { bodyLimit, drawHosts } from './draw-hosts.ts'
import { drawJobs } from './draw-jobs.ts'
import { checkSocketPath, drawListeners } from './draw-listeners.ts'
import { Pools } from './draw-pools.ts'
import { drawStats } from './draw-stats.ts'
import { checkCertificateRoutes, checkTlsIsUsed, Tls } from './draw-tls.ts'
import { absolutePath, type Drawing, existingFolder, stat, writableFile } from './drawing.ts'
import { parseNetwork } from './networks.ts'
import type { LogPlan, SitePlan, TracePlan } from './plan.ts'
import type { TraceSettings } from './settings/trace.ts'
import { defaultStatePath } from './state-path.ts'

export interface Origin {
  /** The site file, or ''. */
  readonly file: string
  readonly sources: readonly string[]
  /** What names the site, for its admin socket. */
  readonly identity: string
  readonly watch: boolean
}

export function drawPlan(drawing: Drawing, origin: Origin): SitePlan {
  const { settings, report } = drawing
  const { limits, timeouts } = settings
  const pools = new Pools(drawing)
  const usedApps = new Set<string>()
  const state = drawState(drawing, origin.identity)
  const tls = new Tls(drawing)
  const listeners = drawListeners(drawing, pools, tls)
  const acme = drawAcme(drawing, listeners, state, tls.ofSite)
  const { hosts, errors } = drawHosts(drawing, pools, usedApps, listeners)
  checkCertificateRoutes(drawing, listeners, hosts)
  checkTlsIsUsed(drawing, listeners)
  const apps = drawApps(drawing, usedApps)
  if (limits.head < limits.line) {
    report.problem(['limits', 'head'], 'smaller than limits.line, which is a part of it')
  }
  if (settings.group !== '' && settings.user === '') {
    report.problem(['group'], 'a group without a user', { expected: 'user as well', key: true })
  }
  if (/[^\x20-\x7e]/.test(settings.server)) {
    report.problem(['server'], 'a header field holds printable ASCII here')
  }
  return {
    file: origin.file,
    sources: origin.sources,
    listeners,
    ...(listeners.some((listener) => listener.tls !== undefined)
      ? { tls: tls.finish(listeners, hosts, acme !== null) }
      : {}),
    ...(acme === null ? {} : { acme }),
    hosts,
    ...(errors === undefined ? {} : { errors }),
    apps,
    pools: pools.finish(),
    trusted: drawTrusted(drawing),
    threads: settings.threads === 'auto' ? availableParallelism() : settings.threads,
    limits: { ...limits, body: bodyLimit(limits.body) },
    http2: settings.http2,
    timeouts: {
      headMs: timeouts.head,
      bodyMs: timeouts.body,
      idleMs: timeouts.idle,
      abandonMs: timeouts.abandon,
      sendMs: timeouts.send,
      leaveMs: timeouts.leave,
      stopMs: timeouts.stop,
    },
    log: drawLog(drawing),
    trace: drawTrace(settings.trace),
    commons: drawCommons(drawing),
    background: drawBackground(drawing),
    jobs: drawJobs(drawing, state),
    state,
    stats: drawStats(drawing),
    admin: drawAdmin(drawing, origin.identity),
    pidFile: settings.pid === '' ? '' : writableFile(drawing, ['pid'], settings.pid),
    user: settings.user,
    group: settings.group,
    spool: drawSpool(drawing),
    dev: settings.dev,
    watch: origin.watch,
    needApp: settings['need-app'],
    touch: settings.touch.map((path, index) => absolutePath(drawing, ['touch', index], path)),
    signals: settings.signals,
    fifo: settings.fifo.map((path, index) => writableFile(drawing, ['fifo', index], path)),
    serverName: settings.server,
  }
}

/** Networks as `address/bits`; a plain address is a network of one. */
function drawTrusted({ settings, report }: Drawing): readonly string[] {
  return settings.trusted.flatMap((text, index) => {
    if (text === 'unix') return [text]
    const network = parseNetwork(text)
    if (network !== undefined) return [network]
    const expected = '10.0.0.0/8, fd00::/8, an address, or unix'
    report.problem(['trusted', index], 'not a network', { expected })
    return []
  })
}

function drawTrace(trace: TraceSettings): TracePlan | null {
  if (trace === false) return null
  return trace === true ? { answer: true, sampled: true } : trace
}

function drawLog(drawing: Drawing): LogPlan {
  const { settings, report } = drawing
  const { access, format } = settings.log
  const stream = ['stdout', 'stderr', 'off'].includes(access)
  if (/^(on|yes)$/i.test(access)) {
    const message = `the access log goes to a file named ${access}`
    report.warning(['log', 'access'], message, {
      expected: 'stdout, stderr or off, if none is meant',
    })
  }
  const target = stream ? access : writableFile(drawing, ['log', 'access'], access)
  if (format !== 'auto') return { access: target, format }
  const terminal = access === 'stderr' ? process.stderr.isTTY : process.stdout.isTTY
  return { access: target, format: stream && access !== 'off' && !terminal ? 'json' : 'combined' }
}

function drawAdmin(drawing: Drawing, identity: string): string {
  const { admin } = drawing.settings
  if (admin === '') return defaultAdminPath(identity, drawing.environment)
  const path = writableFile(drawing, ['admin'], admin.replace(/^unix:/, ''))
  checkSocketPath(drawing, ['admin'], path)
  return path
}

function drawState(drawing: Drawing, identity: string): string {
  const { state } = drawing.settings
  if (state === '') return defaultStatePath(identity, drawing.environment)
  const folder = absolutePath(drawing, ['state'], state)
  if (stat(folder)?.isFile() === true) {
    drawing.report.problem(['state'], `not a folder: ${folder}`)
  }
  return folder
}

function drawSpool(drawing: Drawing): string {
  const { spool } = drawing.settings
  if (spool === '') return tmpdir()
  const folder = existingFolder(drawing, ['spool'], spool)
  try {
    if (stat(folder) !== undefined) accessSync(folder, constants.W_OK)
  } catch {
    drawing.report.problem(['spool'], `no right to write there: ${folder}`)
  }
  return folder
}
