/** What an application may do and see: the settings of `settings/isolation.ts`, resolved. */
import { readFileSync } from 'node:fs'
import { entryOf, namesIn } from '../../system/names.ts'
import { absolutePath, type Drawing, existingFolder, isReadable, stat } from '../drawing.ts'
import { LARGEST_ENV_FILE, parseEnvFile } from '../env-file.ts'
import { nearest } from '../nearest.ts'
import type { AppLimitsPlan, IsolationPlan, SecretPlan } from '../plan.ts'
import { type KeyPath, quote } from '../problem.ts'
import type { AppSettings } from '../settings/apps.ts'

/** Variables that would act on us before the application's user is taken on. */
const OURS = /^(LD_|PORTICO_|GLIBC_TUNABLES$|GCONV_PATH$|BASH_ENV$|ENV$|IFS$|PATH$)/
const UNLIMITED = -1
const WORLD_READABLE = 0o004

/** Undefined where no setting asks for anything: the application lives as the site does. */
export function drawIsolation(
  drawing: Drawing,
  path: KeyPath,
  settings: AppSettings,
): IsolationPlan | undefined {
  const chroot =
    settings.chroot === '' ? '' : existingFolder(drawing, [...path, 'chroot'], settings.chroot)
  const readOnly = drawReadOnly(drawing, path, settings)
  const writable = settings.writable.map((text) => existing(drawing, [...path, 'writable'], text))
  const privateTmp = settings['private-tmp'] || (readOnly.includes('/') && chroot === '')
  const walls = chroot !== '' || readOnly.length > 0 || privateTmp || settings.network === 'none'
  checkUser(drawing, path, settings)
  checkWalls(drawing, path, settings, walls)
  const own = settings.user !== '' || settings.group !== '' || walls
  const limits = drawLimits(settings)
  const secrets = drawSecrets(drawing, path, settings)
  const nnp = settings['no-new-privileges']
  const bounded = Object.values(limits).some((limit) => typeof limit === 'number' && limit >= 0)
  if (!own && !bounded && secrets.length === 0 && nnp !== 'on') return undefined
  return {
    user: settings.user,
    group: settings.group,
    chroot,
    readOnly,
    writable,
    privateTmp,
    network: settings.network,
    sandbox: walls ? settings.sandbox : 'none',
    noNewPrivileges: nnp === 'on' || (nnp === 'auto' && own),
    limits,
    secrets,
  }
}

function drawReadOnly(drawing: Drawing, path: KeyPath, settings: AppSettings): readonly string[] {
  const wanted = settings['read-only']
  if (wanted === false) return []
  if (wanted === true) return ['/']
  return wanted.map((text) => existing(drawing, [...path, 'read-only'], text))
}

/** The absolute path of what has to be there. */
function existing(drawing: Drawing, path: KeyPath, text: string): string {
  const place = absolutePath(drawing, path, text)
  if (stat(place) === undefined) drawing.report.problem(path, `there is no ${place}`)
  return place
}

function checkUser({ report }: Drawing, path: KeyPath, settings: AppSettings): void {
  for (const [key, database] of [
    ['user', 'passwd'],
    ['group', 'group'],
  ] as const) {
    const name = settings[key]
    if (name === '' || entryOf(database, name) !== undefined || /^\d+$/.test(name)) continue
    report.problem([...path, key], `no such ${key} on this machine: ${quote(name)}`, {
      nearest: nearest(name, namesIn(database)),
    })
  }
  if (settings.group !== '' && settings.user === '') {
    report.problem([...path, 'group'], 'a group without a user', {
      expected: 'user as well',
      key: true,
    })
  }
}

function checkWalls(
  { report }: Drawing,
  path: KeyPath,
  settings: AppSettings,
  walls: boolean,
): void {
  if (settings.sandbox === 'none' && walls) {
    report.problem([...path, 'sandbox'], 'other settings of this application need walls', {
      expected: 'auto or bubblewrap',
    })
  }
  if (settings.writable.length > 0 && settings['read-only'] === false) {
    report.problem([...path, 'writable'], 'everything is writable already', {
      expected: 'read-only as well',
      key: true,
    })
  }
  if (settings.chroot !== '' && 'php' in settings) {
    report.problem(
      [...path, 'chroot'],
      'PHP is told the paths of its scripts as they are outside',
      {
        expected: 'read-only',
        key: true,
      },
    )
  }
  const inServer = 'node' in settings && settings.run === 'threads'
  if (inServer && (walls || settings.user !== '')) {
    report.problem(
      [...path, 'run'],
      'what runs in the server’s threads has its user and its walls',
      {
        expected: 'run: processes',
      },
    )
  }
}

function drawLimits({ limits }: AppSettings): AppLimitsPlan {
  return {
    memory: limits.memory ?? UNLIMITED,
    cpu: limits.cpu ?? UNLIMITED,
    pids: limits.pids ?? UNLIMITED,
    files: limits.files ?? UNLIMITED,
    core: limits.core ?? UNLIMITED,
    strict: limits.strict,
  }
}

function drawSecrets(drawing: Drawing, path: KeyPath, settings: AppSettings): SecretPlan[] {
  const { report } = drawing
  return Object.entries(settings.secrets).map(([name, setting]): SecretPlan => {
    const at = [...path, 'secrets', name]
    const written =
      typeof setting === 'string' ? { file: setting, credential: '', as: 'env' as const } : setting
    const prefixed = /^credential:(.+)$/.exec(written.file)?.[1]
    const credential = prefixed ?? written.credential
    const file = prefixed === undefined ? written.file : ''
    if ((credential === '') === (file === '')) {
      report.problem(at, 'one of file and credential is needed')
    }
    if (OURS.test(name)) report.problem(at, `${name} is no name for a secret`, { key: true })
    if (name in settings.env) report.problem(at, `${name} is in env as well`, { key: true })
    if (/[/\0]|^\.\.?$/.test(credential)) report.problem(at, 'not the name of a credential')
    const source = file === '' ? '' : absolutePath(drawing, at, file)
    const mode = source === '' ? undefined : stat(source)
    if (source !== '' && mode === undefined) report.warning(at, `there is no ${source} (yet)`)
    if (mode !== undefined && (mode.mode & WORLD_READABLE) !== 0) {
      report.warning(at, `everybody on this machine can read ${source}; chmod o= would change that`)
    }
    return { name, file: source, credential, as: written.as }
  })
}

/** The variables of `env-file`. */
export function drawEnvFiles(
  drawing: Drawing,
  path: KeyPath,
  settings: AppSettings,
): Record<string, string> {
  const variables = new Map<string, string>()
  const at = [...path, 'env-file']
  for (const text of settings['env-file']) {
    const file = absolutePath(drawing, at, text)
    for (const [name, value] of readEnvFile(drawing, at, file)) variables.set(name, value)
  }
  return Object.fromEntries(variables)
}

function readEnvFile({ report }: Drawing, path: KeyPath, file: string): Iterable<[string, string]> {
  const found = stat(file)
  if (found?.isFile() !== true) {
    report.problem(path, `no such file: ${file}`)
    return []
  }
  if (!isReadable(file) || found.size > LARGEST_ENV_FILE) {
    const why = isReadable(file) ? 'larger than 1MB' : 'this file cannot be read'
    report.problem(path, `${why}: ${file}`)
    return []
  }
  const text = decode(readFileSync(file))
  if (text === undefined) {
    report.problem(path, `not UTF-8: ${file}`)
    return []
  }
  const { variables, problems } = parseEnvFile(text)
  for (const { line, message } of problems) report.problem(path, `${file}:${line}: ${message}`)
  return variables
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}
