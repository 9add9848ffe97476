/** A configuration as our reader makes it effective, and as the real uWSGI does. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, hostname, tmpdir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { Reader } from '../../../src/import/uwsgi/read.ts'
import { Report } from '../../../src/site/report.ts'

export interface Effective {
  readonly options: readonly string[]
  readonly problems: readonly string[]
}

/** `files` by their names; the first is the configuration. The folder is gone afterwards. */
export function inFolder<Result>(
  files: Readonly<Record<string, string>>,
  use: (folder: string, first: string) => Result,
): Result {
  const folder = mkdtempSync(join(tmpdir(), 'portico-uwsgi-'))
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), text)
    }
    return use(folder, Object.keys(files)[0] ?? '')
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** `name = value`, one by one. */
export function ours(
  folder: string,
  file: string,
  environment: Readonly<Record<string, string>>,
): Effective {
  const { uid, gid, username } = userInfo()
  const machine = {
    cwd: folder,
    host: hostname(),
    cores: availableParallelism(),
    uid,
    user: username,
    gid,
    group: username,
    now: 0,
  }
  const report = new Report()
  const reader = new Reader(machine, environment, report)
  const place = { source: { file: 'test', text: '', base: folder }, offset: -1 }
  reader.addEnvironment()
  reader.addFile(file, place)
  const { options } = reader.finish()
  return {
    options: options.map(({ name, value }) => `${name} = ${value}`),
    problems: report.problems.map(({ message }) => message),
  }
}

/** What `uwsgi --show-config` prints; it is not served. */
export function theirs(
  folder: string,
  file: string,
  environment: Readonly<Record<string, string>>,
): string[] {
  const kind = /\.ya?ml$/.test(file) ? 'yaml' : /\.json$/.test(file) ? 'json' : 'ini'
  const { stdout, stderr } = spawnSync(
    'uwsgi',
    ['--show-config', '--no-server', `--${kind}`, file],
    {
      cwd: folder,
      env: { ...environment, PATH: process.env.PATH },
      encoding: 'utf8',
      timeout: 10_000,
      // TERM is a reload to it.
      killSignal: 'SIGKILL',
    },
  )
  return shown(stdout + stderr)
}

function shown(text: string): string[] {
  const lines = text.split('\n')
  const start = lines.indexOf('[uwsgi]')
  const end = lines.indexOf(';end of configuration')
  const own = /^(show-config|no-server) = /
  return lines.slice(start + 1, end).filter((line) => !own.test(line))
}
