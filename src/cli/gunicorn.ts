/** `portico gunicorn`: Gunicorn's command line, so that a service needs only its program's name changed. */
import type { Command } from 'commander'
import type { ImportedGunicorn } from '../import/gunicorn/load.ts'
import type { LoadedSite } from '../site/load.ts'
import { becomeDaemon } from './daemon.ts'
import { EXIT_FAILURE } from './exit.ts'
import { serveSite } from './serving.ts'

const EXAMPLES = `
Takes Gunicorn's options, GUNICORN_CMD_ARGS, WEB_CONCURRENCY and gunicorn.conf.py with its hooks. Signals
mean what they mean to Gunicorn. --print-config shows what becomes of each setting.

Examples:
  portico gunicorn -w 4 -b :8000 shop.wsgi:application
  portico gunicorn -c gunicorn.conf.py
  portico gunicorn -k uvicorn.workers.UvicornWorker main:app
`

export function gunicornCommand(program: Command): void {
  program
    .command('gunicorn')
    .description("serve as Gunicorn's command line says")
    .argument('[options...]', "Gunicorn's options and module:callable")
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .addHelpText('after', EXAMPLES)
    .action(async (args: readonly string[], _flags: object, command: Command) => {
      if (args.includes('--help') || args.includes('-h')) command.help()
      process.exitCode = await gunicorn(args)
    })
}

interface Loaded {
  readonly site: LoadedSite
  readonly imported: ImportedGunicorn
}

async function gunicorn(args: readonly string[]): Promise<number> {
  let first: Loaded | null = null
  try {
    first = await load(args)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    return EXIT_FAILURE
  }
  const { imported, site } = first
  if (imported.onlyChecks) {
    const { showOutcomes } = await import('../import/outcome.ts')
    process.stdout.write(showOutcomes(site.outcomes, (file) => file))
    return 0
  }
  if (imported.isDaemon && becomeDaemon('')) return 0
  return serveSite(async () => {
    const loaded = first ?? (await load(args))
    // Read anew at each reload, as Gunicorn does.
    first = null
    return loaded.site
  }, false)
}

async function load(args: readonly string[]): Promise<Loaded> {
  const [{ loadGunicorn }, { loadTree }, { Report }] = await Promise.all([
    import('../import/gunicorn/load.ts'),
    import('../site/load.ts'),
    import('../site/report.ts'),
  ])
  const cwd = process.cwd()
  const report = new Report()
  const imported = await loadGunicorn(args, cwd, process.env, report)
  const { config } = imported
  const description = `Gunicorn's command line${config === '' ? '' : ` and ${config}`}`
  const identity = `${cwd}/gunicorn ${args.join(' ')}`
  const site = await loadTree({ ...imported, description, file: '', identity }, {}, report)
  return { site, imported }
}
