/** `portico install`: makes a site a service of this machine. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Command, Option } from 'commander'
import type { InstalledFile } from '../install/files.ts'
import { EXIT_FAILURE } from './exit.ts'

interface Flags {
  readonly name?: string
  readonly user?: string
  readonly scope?: 'system' | 'user'
  readonly sockets?: true
  readonly now?: true
  readonly print?: true
  readonly root: string
  readonly remove?: true
  readonly json?: true
}

const LAUNCHER = fileURLToPath(new URL('../../bin/portico', import.meta.url))

const EXAMPLES = `
TARGET is a site file, a folder, module:callable, or a configuration of uWSGI or Gunicorn (app.ini,
gunicorn.conf.py); without one, the current folder.

Examples:
  portico install                       this folder's site as a service of systemd
  portico install site.yaml --now       and start it, now and at every boot
  portico install --sockets             systemd holds the ports: nobody is refused while it restarts
  portico install --print               show the files, write nothing
  portico install --remove              stop the service and remove its files

Files: the unit (and the socket unit), the rotation of an access log that is a file, completion for
bash, and the manual page. A site without \`user:\` runs as --user, with the right to open low ports.

Exit codes: 0 done, 1 failed.
`

export function installCommand(program: Command, whole: () => Promise<Command>): void {
  program
    .command('install')
    .description('make a site a service of this machine (systemd)')
    .argument('[target]', 'site file, folder, or module:callable', '.')
    .option('--name <name>', 'of the service, after `portico-`; the folder’s by default')
    .option('-u, --user <user>', 'who a site without `user:` runs as')
    .addOption(
      new Option('--scope <scope>', 'a service of the machine, or of one’s own session').choices([
        'system',
        'user',
      ]),
    )
    .option('--sockets', 'let systemd open the ports')
    .option('--now', 'start it at once and at every boot')
    .option('--print', 'print the files instead of writing them')
    .option('--root <folder>', 'write below this folder, for packages', '/')
    .option('--remove', 'stop the service and remove its files')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (target: string, flags: Flags) => {
      if (flags.name !== undefined && !/^[A-Za-z0-9:_.-]{1,100}$/.test(flags.name)) {
        program.error(`error: --name has letters, digits and :_.- only: ${flags.name}`)
      }
      process.exitCode = await install(target, flags, whole)
    })
}

async function install(
  target: string,
  flags: Flags,
  whole: () => Promise<Command>,
): Promise<number> {
  const scope = flags.scope ?? (process.getuid?.() === 0 ? 'system' : 'user')
  const { loadSite } = await import('../site/load.ts')
  const { installedFiles } = await import('../install/files.ts')
  const { siteName } = await import('../site/admin-path.ts')
  const { siteIdentity } = await import('./admin-client.ts')
  const { ordinaryUser } = await import('../system/users.ts')
  const { plan } = await loadSite(target)
  const identity = await siteIdentity(target)
  const folder = plan.file === '' && !isAbsolute(identity) ? process.cwd() : folderOf(identity)
  const name = flags.name ?? siteName(identity)
  const files = installedFiles(plan, {
    name,
    scope,
    sockets: flags.sockets === true,
    user: flags.user ?? ordinaryUser(),
    program: [process.execPath, LAUNCHER],
    target: existsSync(target) ? identity : target,
    folder,
    identity,
  })
  const all = [...files, ...(await sharedFiles(scope, whole))]
  if (flags.print === true) {
    for (const { path, content } of all) process.stdout.write(`# ${path}\n${content}\n`)
    return 0
  }
  const units = files.flatMap(
    ({ path }) => /portico-[^/]*\.(service|socket)$/.exec(path)?.[0] ?? [],
  )
  if (flags.remove === true) return remove(files, units, scope, flags)
  for (const { path, content } of all) write(join(flags.root, path), content)
  const manager = flags.root === '/' ? ask(scope, ['daemon-reload']) : ''
  const start = scope === 'user' ? ['systemctl', '--user'] : ['systemctl']
  const enable = [...start, 'enable', '--now', ...units]
  const started =
    flags.now === true && flags.root === '/' ? ask(scope, enable.slice(start.length)) : null
  report(all, flags, manager, started, enable.join(' '))
  return manager === '' && (started ?? '') === '' ? 0 : EXIT_FAILURE
}

function folderOf(identity: string): string {
  return /\.\w+$/.test(identity) ? dirname(identity) : identity
}

/** The same for every site of the machine. */
async function sharedFiles(
  scope: 'system' | 'user',
  whole: () => Promise<Command>,
): Promise<InstalledFile[]> {
  if (scope === 'user') return []
  const { completion } = await import('../install/completion.ts')
  const { wordsOf } = await import('../install/words.ts')
  const { manualPage } = await import('./man.ts')
  const program = await whole()
  const bash = completion('bash', wordsOf(program))
  return [
    { path: '/usr/local/share/bash-completion/completions/portico', content: bash },
    { path: '/usr/local/share/man/man1/portico.1', content: manualPage(program) },
  ]
}

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content, { mode: 0o644 })
}

function remove(
  files: readonly InstalledFile[],
  units: readonly string[],
  scope: 'system' | 'user',
  flags: Flags,
): number {
  const there = files.filter(({ path }) => existsSync(join(flags.root, path)))
  const stopped =
    flags.root === '/' && there.length > 0 ? ask(scope, ['disable', '--now', ...units]) : ''
  for (const { path } of there) rmSync(join(flags.root, path))
  const manager = flags.root === '/' ? ask(scope, ['daemon-reload']) : ''
  if (flags.json === true) {
    process.stdout.write(`${JSON.stringify({ removed: there.map(({ path }) => path) })}\n`)
  } else if (there.length === 0) process.stdout.write('nothing is installed\n')
  else for (const { path } of there) process.stdout.write(`removed ${path}\n`)
  for (const trouble of [stopped, manager]) if (trouble !== '') process.stderr.write(`${trouble}\n`)
  return stopped === '' && manager === '' ? 0 : EXIT_FAILURE
}

function report(
  files: readonly InstalledFile[],
  flags: Flags,
  manager: string,
  started: string | null,
  enable: string,
): void {
  const paths = files.map(({ path }) => join(flags.root, path))
  if (flags.json === true) {
    process.stdout.write(`${JSON.stringify({ files: paths, started: started === '' })}\n`)
  } else {
    for (const path of paths) process.stdout.write(`wrote ${path}\n`)
    if (started === null && manager === '') process.stdout.write(`start it with: ${enable}\n`)
    if (started === '') process.stdout.write('it runs, and will at every boot\n')
  }
  if (manager !== '') process.stderr.write(`${manager}\nOnce systemd runs: ${enable}\n`)
  else if (started !== null && started !== '') process.stderr.write(`${started}\n`)
}

/** Has systemctl do something; '' or why it did not. */
function ask(scope: 'system' | 'user', words: readonly string[]): string {
  try {
    execFileSync('systemctl', [...(scope === 'user' ? ['--user'] : []), ...words], {
      stdio: 'pipe',
    })
    return ''
  } catch (error) {
    if (!(error instanceof Error)) return String(error)
    const said = 'stderr' in error ? String(error.stderr).trim() : ''
    return `systemctl ${words.join(' ')}: ${said === '' ? error.message : said}`
  }
}
