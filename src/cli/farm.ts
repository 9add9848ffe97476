/** `portico farm`: serves every site that patterns of files name, each by itself. */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import type { FarmStatus } from '../farm/farm.ts'
import { EXIT_FAILURE, EXIT_USAGE } from './exit.ts'

interface Flags {
  readonly listen?: readonly string[]
  readonly owners: boolean
  readonly user?: string
  readonly every: string
  readonly admin?: string
  readonly status?: true
  readonly json?: true
}

const LAUNCHER = fileURLToPath(new URL('../../bin/portico', import.meta.url))

const EXAMPLES = `
PATTERNS name site files: 'apps.d/*.yaml' '/srv/*/site.yaml'. Quote them, so that sites that come later
are found as well. Each site is a Portico of its own: it appears, changes and disappears with its file,
and one that fails harms no other. As root, each runs as its file's owner.

Examples:
  portico farm '/srv/*/site.yaml'                    every site listens for itself
  portico farm -l :80 '/srv/*/site.yaml'             one front for all, by the hosts that they name
  portico farm --no-owners 'apps.d/*.yaml'           all run as whoever starts the farm
  portico farm --status                              how the sites of the running farm do

Signals: HUP looks at the files at once, TERM and INT stop everything gracefully.
`

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}

export function farmCommand(program: Command): void {
  program
    .command('farm')
    .description('serve every site that patterns of files name')
    .argument('[patterns...]', 'site files, as /srv/*/site.yaml')
    .option('-l, --listen <address>', 'one front for all sites listens here; repeatable', collect)
    .option('--no-owners', 'as root: do not run each site as its file’s owner')
    .option('-u, --user <user>', 'as root: who the front runs as')
    .option('--every <seconds>', 'how often the files are looked at', '1')
    .option('--admin <path>', 'where the farm’s admin socket is')
    .option('--status', 'print how the sites of a running farm do')
    .option('--json', 'the log, or the status, as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (patterns: readonly string[], flags: Flags) => {
      if (flags.status === true) {
        process.exitCode = await status(flags)
        return
      }
      const everyMs = Number(flags.every) * 1000
      if (!(everyMs >= 100)) program.error(`error: --every is at least 0.1 seconds: ${flags.every}`)
      if (patterns.length === 0) {
        program.error(`error: no patterns; name site files, such as '/srv/*/site.yaml'`, {
          exitCode: EXIT_USAGE,
        })
      }
      process.exitCode = await farm(patterns, everyMs, flags)
    })
}

async function farm(patterns: readonly string[], everyMs: number, flags: Flags): Promise<number> {
  const { createLogger, logOptions } = await import('../supervisor/logger.ts')
  const { serviceManager } = await import('../system/sd-notify.ts')
  const { ordinaryUser } = await import('../system/users.ts')
  const { Farm } = await import('../farm/farm.ts')
  const { openFarmAdmin } = await import('../farm/admin.ts')
  const options = logOptions(process.stderr, process.env)
  const logger = createLogger(
    process.stderr,
    flags.json === true ? { ...options, format: 'json', colours: false } : options,
  )
  const root = process.getuid?.() === 0
  try {
    const manager = serviceManager(process.env, async () => true)
    const one = new Farm({
      patterns,
      folder: process.cwd(),
      everyMs,
      asOwners: root && flags.owners,
      listen: flags.listen ?? [],
      user: flags.user ?? (root ? ordinaryUser() : ''),
      launcher: [process.execPath, LAUNCHER],
      logger,
      manager,
    })
    const admin = openFarmAdmin(adminPath(flags), () => one.status)
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT']) process.on(signal, () => one.stop())
    process.on('SIGHUP', () => one.reload())
    try {
      await one.run()
    } finally {
      admin.close()
      manager.close()
    }
    return 0
  } catch (error) {
    logger.error(error instanceof Error ? error.message : String(error))
    return EXIT_FAILURE
  }
}

function adminPath({ admin }: Flags): string {
  if (admin !== undefined) return resolve(admin)
  const runtime = process.env.XDG_RUNTIME_DIR ?? '/tmp'
  return process.getuid?.() === 0 ? '/run/portico/farm.sock' : `${runtime}/portico-farm.sock`
}

async function status(flags: Flags): Promise<number> {
  const { askAdmin } = await import('../supervisor/ask-admin.ts')
  const { calm } = await import('./show.ts')
  const { body } = await askAdmin(adminPath(flags), 'GET', '/status')
  if (flags.json === true) process.stdout.write(body)
  else process.stdout.write(calm(showFarm(JSON.parse(body))))
  return 0
}

function showFarm({ listen, sites }: FarmStatus): string {
  const rows = Object.entries(sites).map(([name, site]) => {
    const where = listen.length > 0 ? site.hosts : site.urls
    return [
      name,
      site.state,
      site.user || '-',
      `${site.restarts}`,
      where.join(' ') || '-',
      site.file,
    ]
  })
  const table = [
    ['site', 'state', 'user', 'restarts', listen.length > 0 ? 'hosts' : 'urls', 'file'],
    ...rows,
  ]
  const widths = table[0]!.map((_, i) => Math.max(...table.map((row) => row[i]!.length)))
  const lines = table.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  )
  const troubles = Object.entries(sites).filter(([, { detail }]) => detail !== '')
  return [...lines, ...troubles.map(([name, { detail }]) => `\n${name}: ${detail}`), ''].join('\n')
}
