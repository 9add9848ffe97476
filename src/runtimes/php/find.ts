/** Which PHP of the machine runs an application: the newest php-fpm, else the newest php-cgi. */
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { basename, delimiter, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { PhpAppPlan } from '../../site/plan.ts'
import { isExecutable } from '../../system/tools.ts'

/** Where administrators' programs are: often not in the PATH of people, but where php-fpm is. */
const MORE_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/usr/local/bin', '/usr/bin']

/** As distributions name them: `php-fpm8.2`, `php-fpm82`, `php82-fpm`, `php-fpm`. */
const NAMES = {
  fpm: /^php-?(\d*\.?\d*)-?fpm-?(\d*\.?\d*)$/,
  cgi: /^php-?(\d*\.?\d*)-?cgi-?(\d*\.?\d*)$/,
} as const

/** The oldest that is told of slow requests as we need it. */
const OLDEST_MAJOR = 7

export interface Php {
  readonly file: string
  readonly kind: 'fpm' | 'cgi'
  /** `8.2.36`. */
  readonly version: string
}

/** Throws an Error with a remedy when there is none. */
export async function findPhp(app: PhpAppPlan): Promise<Php> {
  const file = app.interpreter === '' ? newest(app) : named(app)
  const said = await versionOf(file).catch((cause: unknown) => {
    throw new Error(`${file} does not run: ${firstLine(cause)}`, { cause })
  })
  const [, version = '', sapi = ''] = /^PHP (\d+\.\d+\.\d+)\S* \(([a-z-]+)\)/.exec(said) ?? []
  const kind = sapi === 'fpm-fcgi' ? 'fpm' : sapi === 'cgi-fcgi' ? 'cgi' : ''
  if (kind === '') {
    const what = sapi === '' ? 'no PHP' : `PHP's ${sapi}`
    throw new Error(`${file} is ${what}; \`interpreter:\` takes a php-fpm or a php-cgi`)
  }
  if (Number.parseInt(version, 10) < OLDEST_MAJOR) {
    throw new Error(`${file} is PHP ${version}, and ${OLDEST_MAJOR}.0 or newer is needed`)
  }
  return { file, kind, version }
}

function named({ interpreter, env }: PhpAppPlan): string {
  const candidates = interpreter.includes('/')
    ? [resolve(interpreter)]
    : folders(env.PATH).map((folder) => join(folder, interpreter))
  const found = candidates.find(isExecutable)
  if (found === undefined) {
    throw new Error(`there is no ${interpreter} on this machine; check \`interpreter:\``)
  }
  return found
}

function newest({ env }: PhpAppPlan): string {
  const all = folders(env.PATH)
  for (const kind of ['fpm', 'cgi'] as const) {
    let best = ''
    let bestVersion = -1
    for (const folder of all) {
      for (const name of list(folder)) {
        const match = NAMES[kind].exec(name)
        if (match === null) continue
        const version = versionNumber(match[1] || match[2] || '')
        const file = join(folder, name)
        if (version > bestVersion && isExecutable(file)) {
          best = file
          bestVersion = version
        }
      }
    }
    if (best !== '') return best
  }
  throw new Error(
    'there is no php-fpm and no php-cgi on this machine; install one (Debian: `apt install php-fpm`), ' +
      'or name one with `interpreter:`',
  )
}

/** `8.2` and `82` → 802; '' (an alternative, or the only one) → 0. */
export function versionNumber(text: string): number {
  if (text === '') return 0
  const [major = '', minor = ''] = text.includes('.')
    ? text.split('.')
    : [text.slice(0, 1), text.slice(1)]
  return Number(major) * 100 + Number(minor)
}

function folders(path: string | undefined): string[] {
  const own = (path ?? process.env.PATH ?? '').split(delimiter).filter((name) => name !== '')
  return [...new Set([...own, ...MORE_FOLDERS])]
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.startsWith('php'))
  } catch {
    return []
  }
}

async function versionOf(file: string): Promise<string> {
  const { stdout } = await promisify(execFile)(file, ['-v'], { timeout: 10_000 })
  return stdout
}

function firstLine(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split('\n')[0] ?? ''
}

/** What the program is called in the log. */
export function programName(php: Php): string {
  return basename(php.file)
}
