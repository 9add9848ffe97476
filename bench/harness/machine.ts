/** What the figures were measured on. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { Missing } from './rival.ts'

/** The first match of `pattern` in what a command prints. Throws {@link Missing} when it is not here. */
export function versionOf(argv: readonly string[], pattern: RegExp, remedy: string): string {
  const [file = '', ...args] = argv
  // The status says nothing: wrk ends with 1 after telling its version. Some tell it on stderr.
  const { error, stdout, stderr } = spawnSync(file, args, { encoding: 'utf8', timeout: 10_000 })
  if (error) throw new Missing(file, remedy)
  const match = pattern.exec(stdout + stderr)
  if (!match) throw new Missing(file, remedy)
  return match[1] ?? match[0]
}

export function apt(name: string): string {
  return `apt-get install ${name}`
}

/** What the bench itself cannot do without. */
export function requireTools(): void {
  versionOf(['wrk', '-v'], /wrk \S+/, apt('wrk'))
  versionOf(['taskset', '--version'], /\d/, apt('util-linux'))
  versionOf([PYTHON, '--version'], /\d/, apt('python3'))
  if (cpus().length < 2) throw new Missing('a second core', 'servers and load need a core each')
}

/** Debian's Python: the one that Debian's servers are built for and its packages belong to. */
export const PYTHON = '/usr/bin/python3'

export function describeMachine(): Record<string, string> {
  const cpu = cpus()[0]?.model ?? 'unknown'
  const gibibytes = Math.round(totalmem() / 1024 ** 3)
  return {
    processor: `${cpu.trim()}, ${cpus().length} cores, ${gibibytes} GiB`,
    kernel: `Linux ${release()}`,
    system: /^PRETTY_NAME="(.*)"/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown',
    python: versionOf([PYTHON, '--version'], /\d\S+/, apt('python3')),
    flask: optional(() =>
      versionOf(
        [PYTHON, '-c', 'import importlib.metadata as m; print(m.version("flask"))'],
        /\d\S+/,
        apt('python3-flask'),
      ),
    ),
    node: process.version,
    wrk: versionOf(['wrk', '-v'], /wrk (\S+)/, apt('wrk')),
  }
}

/** The one-minute load average: how quiet the machine is. */
export function load(): number {
  return loadavg()[0] ?? 0
}

function optional(read: () => string): string {
  try {
    return read()
  } catch (error) {
    return (error as Error).message
  }
}
