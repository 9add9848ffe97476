/** `cron`, `timers`, `watch` and `daemons` → the Plan. */
import { basename, resolve } from 'node:path'
import { CronSyntaxError, parseCron } from '../background/cron-expression.ts'
import { isZone } from '../background/zoned-time.ts'
import { entryOf, namesIn } from '../system/names.ts'
import { parseTarget } from './address.ts'
import type {
  ActionPlan,
  BackgroundPlan,
  CommandPlan,
  DaemonPlan,
  ReadyPlan,
  TaskPlan,
} from './background-plan.ts'
import { drawCall } from './draw-app/beside.ts'
import { absolutePath, type Drawing, existingFolder, textAsWritten } from './drawing.ts'
import { nearest } from './nearest.ts'
import { type KeyPath, quote } from './problem.ts'
import type { ActionSettings, CronSettings, DaemonSettings } from './settings/background.ts'

const ACTIONS = ['run', 'call', 'get', 'job', 'signal', 'reload'] as const

export function drawBackground(drawing: Drawing): BackgroundPlan {
  const { cron, timers, watch, daemons } = drawing.settings
  const names = new Set<string>()
  return {
    cron: cron.map((settings, index) => {
      const path = ['cron', index]
      checkTimes(drawing, path, settings)
      return {
        ...drawTask(drawing, path, settings, names),
        overlap: settings.overlap,
        at: settings.at,
        zone: settings.zone,
        missed: settings.missed,
        jitterMs: settings.jitter,
      }
    }),
    timers: timers.map((settings, index) => {
      const path = ['timers', index]
      if (settings.every === 0) drawing.report.problem([...path, 'every'], 'never rests')
      return {
        ...drawTask(drawing, path, settings, names),
        overlap: settings.overlap,
        everyMs: Math.max(1, settings.every),
        times: settings.times,
        jitterMs: settings.jitter,
      }
    }),
    watch: watch.map((settings, index) => ({
      ...drawTask(drawing, ['watch', index], settings, names),
      overlap: settings.overlap,
      files: settings.files.map((file) => absolutePath(drawing, ['watch', index, 'files'], file)),
      settleMs: settings.settle,
    })),
    daemons: Object.fromEntries(
      Object.entries(daemons).map(([name, settings]) => [
        name,
        drawDaemon(drawing, ['daemons', name], name, settings),
      ]),
    ),
  }
}

function checkTimes({ report }: Drawing, path: KeyPath, { at, zone }: CronSettings): void {
  try {
    parseCron(at)
  } catch (error) {
    if (!(error instanceof CronSyntaxError)) throw error
    report.problem([...path, 'at'], error.message)
  }
  if (isZone(zone)) return
  const meant = nearest(zone, Intl.supportedValuesOf('timeZone'))
  report.problem([...path, 'zone'], `no such time zone: ${quote(zone)}`, {
    ...(meant === '' ? { expected: 'a name such as Europe/Berlin' } : { nearest: meant }),
  })
}

function drawTask(
  drawing: Drawing,
  path: KeyPath,
  settings: ActionSettings,
  names: Set<string>,
): Omit<TaskPlan, 'overlap'> {
  const action = drawAction(drawing, path, settings)
  const name = settings.name === '' ? freeName(usualName(settings), names) : settings.name
  if (names.has(name)) {
    drawing.report.problem([...path, 'name'], `${quote(name)} is there already`)
  }
  names.add(name)
  return { name, action, timeoutMs: settings.timeout }
}

function freeName(wanted: string, names: ReadonlySet<string>): string {
  let name = wanted
  for (let number = 2; names.has(name); number++) name = `${wanted}-${number}`
  return name
}

/** What an owner would recognise it by. */
function usualName({ run, call, get, job, signal, reload }: ActionSettings): string {
  if (reload) return 'reload'
  if (call !== '') return basename(call)
  if (job !== '') return job
  if (signal !== '') return `signal-${signal}`
  const words = Array.isArray(run) ? run : run.trim().split(/\s+/)
  const word = get === '' ? basename(words[0] ?? '') : (get.split(/[/?#]+/).at(-1) ?? '')
  return word.replace(/[^A-Za-z0-9_.-]+/g, '-').slice(0, 40) || 'get'
}

function drawAction(drawing: Drawing, path: KeyPath, settings: ActionSettings): ActionPlan {
  const { run, call, get, job, queue, payload, signal, reload, app, host } = settings
  const { report } = drawing
  const given = ACTIONS.filter((key) => (key === 'run' ? run.length > 0 : Boolean(settings[key])))
  if (given.length !== 1) {
    const [first, second] = given
    const message =
      second === undefined
        ? 'nothing to do here'
        : `${quote(first ?? '')} and ${quote(second)} exclude each other`
    report.problem(second === undefined ? path : [...path, second], message, {
      key: true,
      ...(second === undefined ? { expected: `one of ${ACTIONS.join(', ')}` } : {}),
    })
  }
  for (const [key, needs, value] of [
    ['app', reload ? 'reload' : 'call', app],
    ['user', 'run', settings.user],
    ['group', 'run', settings.group],
  ] as const) {
    if (value !== '' && !given.includes(needs)) {
      report.problem([...path, key], `${quote(key)} goes with ${quote(needs)}`, { key: true })
    }
  }
  if (call !== '') {
    const target = findCall(drawing, path, call, app)
    return { kind: 'call', app, target, declared: false, argument: '' }
  }
  if (get !== '') return { kind: 'get', url: get, host }
  if (job !== '') return { kind: 'job', job, queue, payload }
  if (signal !== '') return { kind: 'signal', signal }
  if (reload) {
    if (app !== '') checkApp(drawing, path, app)
    return { kind: 'reload', app }
  }
  return { kind: 'run', command: drawCommand(drawing, path, { ...settings, run }) }
}

function findCall(drawing: Drawing, path: KeyPath, call: string, app: string): string {
  const found = drawing.settings.apps[app]
  if (found !== undefined) return drawCall(drawing, path, call, app, found)
  if (app !== '') checkApp(drawing, path, app)
  else {
    drawing.report.problem([...path, 'call'], 'a call is in the code of an application', {
      expected: 'app as well',
      key: true,
    })
  }
  return call
}

function checkApp({ settings, report }: Drawing, path: KeyPath, app: string): void {
  if (settings.apps[app] !== undefined || report.isBroken(['apps', app])) return
  const meant = nearest(app, Object.keys(settings.apps))
  report.problem([...path, 'app'], `no application ${quote(app)}`, { nearest: meant })
}

type CommandSettings = Pick<DaemonSettings, 'run' | 'dir' | 'env' | 'user' | 'group'>

function drawCommand(drawing: Drawing, path: KeyPath, settings: CommandSettings): CommandPlan {
  const { run, user, group } = settings
  if (group !== '' && user === '') {
    drawing.report.problem([...path, 'group'], 'a group without a user', {
      expected: 'user as well',
      key: true,
    })
  }
  for (const [key, database, name] of [
    ['user', 'passwd', user],
    ['group', 'group', group],
  ] as const) {
    if (name === '' || /^\d+$/.test(name) || entryOf(database, name) !== undefined) continue
    const hint = { nearest: nearest(name, namesIn(database)) }
    drawing.report.problem([...path, key], `no such ${key} on this machine: ${name}`, hint)
  }
  const dir = existingFolder(drawing, [...path, 'dir'], settings.dir)
  return {
    argv: argvOf(drawing, [...path, 'run'], run, dir),
    dir,
    env: textAsWritten(drawing, [...path, 'env'], settings.env),
    user,
    group,
  }
}

/** A program with a slash in its name is looked for from `dir`, as a shell would there. */
function argvOf(
  drawing: Drawing,
  path: KeyPath,
  run: string | readonly string[],
  dir: string,
): readonly string[] {
  if (typeof run === 'string') return ['/bin/sh', '-c', run]
  const [program = '', ...args] = run
  if (program === '') drawing.report.problem(path, 'a program without a name')
  return [program.includes('/') ? resolve(dir, program) : program, ...args]
}

function drawDaemon(
  drawing: Drawing,
  path: KeyPath,
  name: string,
  settings: DaemonSettings,
): DaemonPlan {
  if (settings.run.length === 0) drawing.report.problem([...path, 'run'], 'an empty command')
  return {
    name,
    command: drawCommand(drawing, path, settings),
    restart: settings.restart,
    stopSignal: `SIG${settings['stop-signal']}`,
    stopTimeoutMs: settings['stop-timeout'],
    ready: drawReady(drawing, [...path, 'ready'], settings.ready),
    startTimeoutMs: settings['start-timeout'],
  }
}

function drawReady(drawing: Drawing, path: KeyPath, text: string): ReadyPlan {
  if (text === '') return { kind: 'started' }
  if (text.startsWith('log:')) {
    const pattern = text.slice('log:'.length).trim()
    try {
      new RegExp(pattern, 'u')
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      drawing.report.problem(path, `not a regular expression: ${reason}`)
    }
    return { kind: 'log', pattern }
  }
  const parsed = parseTarget(text)
  if ('wrong' in parsed) {
    const expected = '127.0.0.1:6379, unix:./redis.sock, or log:pattern'
    drawing.report.problem(path, parsed.wrong, { expected })
    return { kind: 'started' }
  }
  const { address } = parsed
  if (address.kind === 'tcp') return address
  return { kind: 'unix', path: absolutePath(drawing, path, address.path) }
}
