/** `portico uwsgi`: uWSGI's command line, so that a service needs only its program's name changed. */
import type { Command } from 'commander'
import type { LoadedSite } from '../site/load.ts'
import { becomeDaemon } from './daemon.ts'
import { EXIT_USAGE } from './exit.ts'
import { serveSite } from './serving.ts'

const EXAMPLES = `
Takes uWSGI's options, from the command line, from UWSGI_… variables and from its files. Signals mean
what they mean to uWSGI. \`portico check app.ini\` shows what becomes of each option.

Examples:
  portico uwsgi --http :8080 --wsgi-file app.py --master -p 4
  portico uwsgi --ini /etc/uwsgi/apps-enabled/shop.ini
  portico uwsgi --yaml app.yaml:production --set home=/srv/venv
`

export function uwsgiCommand(program: Command): void {
  program
    .command('uwsgi')
    .description("serve as uWSGI's command line says")
    .argument('[options...]', "uWSGI's options")
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .addHelpText('after', EXAMPLES)
    .action(async (args: readonly string[], _flags: object, command: Command) => {
      if (args.length === 0 || args.includes('--help') || args.includes('-h')) command.help()
      process.exitCode = await uwsgi(args)
    })
}

async function uwsgi(args: readonly string[]): Promise<number> {
  const { ArgumentError, parseArguments } = await import('../import/uwsgi/arguments.ts')
  let daemon: string | undefined
  try {
    const parsed = parseArguments(args)
    daemon = parsed.findLast(({ name }) => name.startsWith('daemonize'))?.value
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error
    process.stderr.write(`portico uwsgi: ${error.message}\n`)
    return EXIT_USAGE
  }
  if (daemon !== undefined && becomeDaemon(daemon)) return 0
  return serveSite(() => load(args), false)
}

/** Read anew at each reload, as uWSGI does. */
async function load(args: readonly string[]): Promise<LoadedSite> {
  const [{ loadUwsgiArguments }, { loadTree }, { Report }] = await Promise.all([
    import('../import/uwsgi/load.ts'),
    import('../site/load.ts'),
    import('../site/report.ts'),
  ])
  const cwd = process.cwd()
  const report = new Report()
  const imported = await loadUwsgiArguments(args, cwd, process.env, report)
  const [file = ''] = imported.sources
  const description = `uWSGI's command line${file === '' ? '' : ` and ${file}`}`
  const identity = file === '' ? `${cwd}/uwsgi ${args.join(' ')}` : file
  return loadTree({ ...imported, description, file: '', identity }, {}, report)
}
