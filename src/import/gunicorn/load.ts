/** Gunicorn's command line and configuration as a site. */
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import { nearest } from '../../site/nearest.ts'
import { quote } from '../../site/problem.ts'
import type { Report } from '../../site/report.ts'
import type { MapNode, Place, Source } from '../../site/tree.ts'
import type { Outcome } from '../outcome.ts'
import { ArgumentError, parseArguments, splitWords } from './arguments.ts'
import { composeSite, onlyChecks } from './compose.ts'
import { GunicornDraft } from './draft.ts'
import { isFunction, type PythonValue, showValue } from './python-values.ts'
import { readConfig } from './read-config.ts'
import type { Given } from './setting.ts'
import { BY_NAME } from './settings.ts'

export interface ImportedGunicorn {
  readonly root: MapNode
  readonly sources: readonly string[]
  readonly outcomes: readonly Outcome[]
  readonly watch: boolean
  readonly isDaemon: boolean
  /** Nothing is to be served: `--check-config`. */
  readonly onlyChecks: boolean
  /** The configuration file, or ''. */
  readonly config: string
}

type Environment = Readonly<Record<string, string | undefined>>

const USUAL = 'gunicorn.conf.py'

/**
 * Configuration file, then GUNICORN_CMD_ARGS, then the command line: the later wins, as in Gunicorn. What
 * is wrong is reported.
 */
export async function loadGunicorn(
  args: readonly string[],
  cwd: string,
  environment: Environment,
  report: Report,
): Promise<ImportedGunicorn> {
  const place = (file: string): Place => ({ source: { file, text: '', base: cwd }, offset: -1 })
  const [line, variable] = [place('command line'), place('GUNICORN_CMD_ARGS')]
  const words = parse(args, line, report)
  const fromVariable = parse(
    () => splitWords(environment.GUNICORN_CMD_ARGS ?? ''),
    variable,
    report,
  )
  const folder = resolve(cwd, String(words.settings.get('chdir') ?? '.'))
  const named = words.settings.get('config') ?? fromVariable.settings.get('config')
  const config = named === undefined ? usualConfig(folder) : String(named)
  const given = new Map<string, Given>()
  const sources: string[] = []
  if (config !== '' && config !== 'none') {
    await addConfig(config, folder, environment, given, sources, report)
  }
  for (const [from, where] of [
    [fromVariable, variable],
    [words, line],
  ] as const) {
    for (const [name, value] of from.settings) given.set(name, { name, value, place: where })
  }
  const app = words.app || fromVariable.app
  const target: Given = { name: 'wsgi_app', value: app, place: line }
  if (app !== '') given.set('wsgi_app', target)
  if (!given.has('wsgi_app')) {
    report.problem(line, [], 'no application', {
      expected: 'module:callable, or wsgi_app in the file',
    })
  }
  const draft = new GunicornDraft(given, cwd, environment, line, report)
  composeSite(draft, given.get('wsgi_app') ?? target, config)
  for (const one of given.values()) BY_NAME.get(one.name)?.apply?.(draft, one)
  return {
    root: draft.tree.root,
    sources,
    outcomes: outcomes(draft, given),
    watch: draft.watch,
    isDaemon: draft.isOn('daemon'),
    onlyChecks: onlyChecks(draft),
    config: sources[0] ?? '',
  }
}

function parse(
  args: readonly string[] | (() => readonly string[]),
  place: Place,
  report: Report,
): ReturnType<typeof parseArguments> {
  try {
    return parseArguments(typeof args === 'function' ? args() : args)
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error
    report.problem(place, [], error.message)
    return { settings: new Map(), app: '' }
  }
}

function usualConfig(folder: string): string {
  return existsSync(resolve(folder, USUAL)) ? USUAL : ''
}

async function addConfig(
  config: string,
  folder: string,
  environment: Environment,
  given: Map<string, Given>,
  sources: string[],
  report: Report,
): Promise<void> {
  const path = config.startsWith('python:') ? '' : resolve(folder, config.replace(/^file:/, ''))
  const source: Source = { file: path || config, text: readText(path), base: folder }
  if (path !== '' && !existsSync(path)) {
    report.problem({ source, offset: -1 }, [], `no such file: ${path}`)
    return
  }
  if (path !== '') sources.push(realpathSync(path))
  const { settings, failure } = await readConfig(config, folder, environment)
  if (failure !== '') {
    report.problem({ source, offset: -1 }, [], `the configuration fails:\n${failure}`)
    return
  }
  for (const [name, value] of Object.entries(settings)) {
    const place = { source, offset: whereIs(source.text, name) }
    const known = BY_NAME.get(name.toLowerCase())
    if (known !== undefined) given.set(known.name, { name: known.name, value, place })
    else warnOfUnknown(name, value, place, report)
  }
}

/** Any other name is the file's own; one that is nearly a setting was meant to be it. */
function warnOfUnknown(name: string, value: PythonValue, place: Place, report: Report): void {
  if (isFunction(value)) return
  const meant = nearest(name, BY_NAME.keys())
  if (meant !== '') {
    report.warning(place, [], `Gunicorn has no setting ${quote(name)}`, { nearest: meant })
  }
}

function outcomes(draft: GunicornDraft, given: ReadonlyMap<string, Given>): Outcome[] {
  return [...given.values()].map((one): Outcome => {
    const setting = BY_NAME.get(one.name)!
    const left = draft.left.get(one.name)
    const facts = { name: one.name, value: showValue(one.value), place: one.place }
    if (left !== undefined) return { ...facts, kind: 'unsupported', text: left }
    return { ...facts, kind: setting.outcome, text: setting.text }
  })
}

function whereIs(text: string, name: string): number {
  const found = new RegExp(`^[ \\t]*(?:async\\s+)?(?:def\\s+)?(${name})\\b`, 'm').exec(text)
  return found === null ? -1 : found.index + found[0].length - name.length
}

function readText(path: string): string {
  try {
    return path === '' ? '' : readFileSync(path, 'utf8').slice(0, 1024 * 1024)
  } catch {
    return ''
  }
}
