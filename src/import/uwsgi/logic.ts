/** `if-…` and `for-…` blocks: each option in one is added not at all, once, or many times. */
import { accessSync, constants, globSync, readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Environment, Lookup } from './placeholders.ts'

/** What conditions look at. */
export interface World {
  readonly cwd: string
  readonly host: string
  readonly environment: Environment
  readonly lookup: Lookup
}

/** What `%(_)` stands for in each copy of an option; undefined: it stays as it is. */
export type Copies = readonly (string | undefined)[]

type Rule = (data: string, world: World) => Copies

/** A loop beyond this is a mistake. */
const MOST_COPIES = 10_000

const SKIP: Copies = []

/** `value` in `%(_)` when `met`. */
function when(met: boolean, value: string | undefined): Copies {
  return met ? [value] : SKIP
}

function not(rule: Rule): Rule {
  return (data, world) => (rule(data, world).length === 0 ? [data] : SKIP)
}

/** `NAME` or `NAME=value`. */
function comparing(find: (name: string, world: World) => string | undefined): Rule {
  return (data, world) => {
    const equals = data.indexOf('=')
    const found = find(equals < 0 ? data : data.slice(0, equals), world)
    return when(found !== undefined && (equals < 0 || found === data.slice(equals + 1)), found)
  }
}

function negated(rule: Rule): Rule {
  return (data, world) => (rule(data, world).length === 0 ? [undefined] : SKIP)
}

const opt = comparing((name, world) => world.lookup(name))
const env = comparing((name, world) => world.environment[name])
const exists: Rule = (data, { cwd }) => when(isReadable(resolve(cwd, data)), data)
const file: Rule = (data, { cwd }) => when(kindOf(resolve(cwd, data)) === 'file', data)
const folder: Rule = (data, { cwd }) => when(kindOf(resolve(cwd, data)) === 'folder', data)
const hostname: Rule = (data, { host }) => when(host === data, data)
const hostnameMatch: Rule = (data, { host }) => when(new RegExp(data).test(host), data)
/** What a plugin does, Portico has built in, or says that it has not. */
const plugin: Rule = (data) => [data]
/** A reload of ours reads everything as the first start does. */
const reload: Rule = () => SKIP

const times: Rule = (data) => {
  const count = Number.parseInt(data, 10)
  return Array.from({ length: count > 0 ? Math.min(count, MOST_COPIES) : 0 }, (_, index) =>
    String(index + 1),
  )
}

const glob: Rule = (data, { cwd }) => {
  const found = globSync(data, { cwd }).sort()
  const shown = found.map((path) => (kindOf(resolve(cwd, path)) === 'folder' ? `${path}/` : path))
  return shown.length === 0 ? [data] : shown.slice(0, MOST_COPIES)
}

const readline: Rule = (data, { cwd }) => {
  const lines = readFileSync(resolve(cwd, data), 'utf8').split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines.slice(0, MOST_COPIES).map((line) => line.replace(/\r$/, ''))
}

/** Each takes the value of the option that opens the block. */
export const LOGIC: Readonly<Record<string, Rule>> = {
  for: (data) => data.split(' ').filter((each) => each !== ''),
  'for-glob': glob,
  'for-times': times,
  'for-readline': readline,
  'if-opt': opt,
  'if-not-opt': negated(opt),
  'if-env': env,
  ifenv: env,
  'if-not-env': negated(env),
  'if-exists': exists,
  ifexists: exists,
  'if-not-exists': not(exists),
  'if-file': file,
  'if-not-file': not(file),
  'if-dir': folder,
  ifdir: folder,
  'if-directory': folder,
  'if-not-dir': not(folder),
  'if-hostname': hostname,
  'if-not-hostname': not(hostname),
  'if-hostname-match': hostnameMatch,
  'if-not-hostname-match': not(hostnameMatch),
  'if-plugin': plugin,
  ifplugin: plugin,
  'if-not-plugin': not(plugin),
  'if-reload': reload,
  'if-not-reload': not(reload),
}

export const ENDS: ReadonlySet<string> = new Set(['end', 'endfor', 'endif', 'end-for', 'end-if'])

function kindOf(path: string): 'file' | 'folder' | '' {
  const found = statSync(path, { throwIfNoEntry: false })
  return found?.isFile() === true ? 'file' : found?.isDirectory() === true ? 'folder' : ''
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}
