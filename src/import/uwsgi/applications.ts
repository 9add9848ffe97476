/** The applications and the routes to them. */
import { basename, dirname } from 'node:path'
import { stat } from '../../site/drawing.ts'
import type { Value } from '../tree-builder.ts'
import type { Draft } from './draft.ts'
import type { Option } from './option.ts'
import { PLAIN_MULE } from './table/work.ts'
import { workersOf } from './workers.ts'

interface Found {
  /** '/' or a path without its last slash. */
  readonly path: string
  readonly settings: Readonly<Record<string, Value>>
  readonly option: Option
}

const MODULES = ['module', 'wsgi', 'test']
const FILES = ['wsgi-file', 'file']
const PYTHON_ONLY = ['jobs', 'mules', 'options']
const PYTHON = [...MODULES, ...FILES, 'mount', 'worker-mount']

export function composeApplications(draft: Draft): void {
  const apps = [...pythonApps(draft), ...otherApps(draft)]
  const names = new Set<string>()
  const routed = new Set<string>()
  for (const { path, settings, option } of apps) {
    const name = nameOf(path, names)
    names.add(name)
    for (const [key, value] of Object.entries(settings))
      draft.set(['apps', name, key], value, option)
    for (const each of draft.forApps) {
      if (PYTHON_ONLY.includes(each.path[0]!) && settings.python === undefined) continue
      const value = each.path[0] === 'mules' && names.size > 1 ? plainMules(each.value) : each.value
      draft.set(['apps', name, ...each.path], value, each.option)
    }
    // A task's function is in the code of one of them.
    if (apps.length > 1 && draft.tree.has(['apps', name, 'jobs']))
      draft.set(['apps', name, 'jobs', 'queues'], [name], option)
    if (routed.has(path)) {
      draft.problem(option, `another application answers for ${path} already`)
      continue
    }
    routed.add(path)
    const route = path === '/' ? '/' : `${path}/`
    draft.set(['routes', route], { app: name }, option)
  }
}

/** A program runs once, however many applications there are; each has mules of these numbers for messages. */
function plainMules(mules: Value): Value {
  return Array.isArray(mules) ? mules.map(() => PLAIN_MULE) : mules
}

function nameOf(path: string, taken: ReadonlySet<string>): string {
  const stem =
    path === '/'
      ? 'app'
      : path
          .slice(1)
          .replace(/[^A-Za-z0-9_-]+/g, '-')
          .replace(/^-+|-+$/g, '') || 'app'
  let name = stem
  for (let count = 2; taken.has(name); count++) name = `${stem}-${count}`
  return name
}

function pythonApps(draft: Draft): Found[] {
  const found: Found[] = []
  const main = draft.last(...MODULES, ...FILES)
  const common = pythonSettings(draft)
  const callable = draft.last('callable')?.value ?? ''
  if (main !== undefined) {
    const isFile = FILES.includes(main.name)
    const python = isFile
      ? fileTarget(draft, main.value, callable)
      : moduleTarget(draft, main.value, callable)
    found.push({ path: '/', settings: { python, ...common }, option: main })
  }
  for (const option of draft.all('mount', 'worker-mount')) {
    const value = option.name === 'worker-mount' ? option.value.replace(/^\d+=/, '') : option.value
    const equals = value.indexOf('=')
    if (equals < 1) {
      draft.problem(option, 'no application', { expected: 'mount = /path=module:callable' })
      continue
    }
    const path = `/${value.slice(0, equals).replace(/^\/+|\/+$/g, '')}`
    const target = value.slice(equals + 1)
    const isFile = namesFile(draft, target)
    const python = isFile
      ? fileTarget(draft, target, callable)
      : moduleTarget(draft, target, callable)
    found.push({ path, settings: { python, ...common }, option })
  }
  if (found.length === 0 && draft.last(...PYTHON) === undefined && callable !== '') {
    draft.problem(draft.last('callable')!, 'a callable without its module', {
      expected: 'module = …',
    })
  }
  return found
}

/** `package.module:callable`; uWSGI takes a file's name as well. */
function moduleTarget(draft: Draft, text: string, callable: string): string {
  if (namesFile(draft, text)) return fileTarget(draft, text, callable)
  const colon = text.indexOf(':')
  const module = colon < 0 ? text : text.slice(0, colon)
  const name = colon < 0 ? callable : text.slice(colon + 1)
  return `${module}:${name || 'application'}`
}

/** `mysite.wsgi` is a module, unless there is a file of that name. */
function namesFile(draft: Draft, text: string): boolean {
  if (text.includes('/') || /\.py(:|$)/.test(text)) return true
  const [file = ''] = text.split(':')
  return file.endsWith('.wsgi') && stat(draft.inFolder(file))?.isFile() === true
}

function fileTarget(draft: Draft, text: string, callable: string): string {
  const [, file = text, own = ''] = /^(.*\.(?:py|wsgi)):(.+)$/.exec(text) ?? []
  return `${draft.inFolder(file)}:${own || callable || 'application'}`
}

function pythonSettings(draft: Draft): Record<string, Value> {
  const settings: Record<string, Value> = {
    dir: draft.folder,
    ...workersOf(draft),
    compat: 'uwsgi',
  }
  const own = draft.ownNames()
  if (Object.keys(own).length > 0) settings.options = own
  const home = draft.last('home', 'virtualenv', 'venv', 'pyhome')
  if (home !== undefined && home.value !== '') settings.venv = draft.atStart(home.value)
  const threads = draft.count('threads')
  const greenlets = draft.count('gevent')
  if (greenlets > 0) Object.assign(settings, { mode: 'gevent', concurrency: greenlets })
  else if (threads > 1) settings.threads = threads
  const paths = draft.all('pythonpath', 'python-path', 'pp')
  if (paths.length > 0) {
    // Each is put before the ones that were named before it.
    const folders = paths.map(({ value }) => draft.inFolder(value)).reverse()
    draft.setApp(['env', 'PYTHONPATH'], folders.join(':'), paths[0]!)
  }
  return settings
}

function otherApps(draft: Draft): Found[] {
  const found: Found[] = []
  const psgi = draft.last('psgi')
  const rack = draft.last('rack')
  const shared = workersOf(draft)
  for (const option of [psgi, rack]) {
    if (option === undefined) continue
    const file = draft.inFolder(option.value)
    const dir = draft.last('chdir') === undefined ? dirname(file) : draft.folder
    found.push({ path: '/', settings: { [option.name]: file, dir, ...shared }, option })
  }
  const docroot = draft.last('php-docroot')
  const front = draft.last('php-app', 'php-fallback', 'php-fallback2')
  const php = docroot ?? front
  if (php !== undefined)
    found.push({ path: '/', settings: phpSettings(draft, docroot, front), option: php })
  return found
}

function phpSettings(
  draft: Draft,
  docroot: Option | undefined,
  front: Option | undefined,
): Record<string, Value> {
  const folder = docroot === undefined ? dirname(front?.value ?? '.') : docroot.value
  const settings: Record<string, Value> = { php: draft.inFolder(folder), ...workersOf(draft) }
  settings.front = front === undefined ? '' : basename(front.value)
  const index = draft.all('php-index').map(({ value }) => value)
  if (index.length > 0) settings.index = index
  const ini: Record<string, string> = {}
  for (const option of draft.all('php-set')) {
    const equals = option.value.indexOf('=')
    if (equals < 1) draft.problem(option, 'no value', { expected: 'php-set = name=value' })
    else ini[option.value.slice(0, equals)] = option.value.slice(equals + 1)
  }
  if (Object.keys(ini).length > 0) settings.ini = ini
  return settings
}
