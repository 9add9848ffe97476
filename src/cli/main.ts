/** The command line: finds the command and loads that one alone, so that each starts fast. */
import { Command, CommanderError } from 'commander'
import about from '../../package.json' with { type: 'json' }
import { commands } from './commands.ts'
import { EXIT_FAILURE, EXIT_USAGE } from './exit.ts'

const EXAMPLES = `
Examples:
  portico serve                  serve what this folder holds
  portico serve site.yaml        serve what the site file says
  portico serve shop.wsgi:app    serve a WSGI application
  portico reload site.yaml       read the site anew, without losing a request

Exit codes: 0 done, 1 failed, 2 not understood.
`

async function main(args: readonly string[]): Promise<void> {
  const program = new Command('portico')
    .description('The whole serving path of a web site, in one program with one site file.')
    .version(about.version)
    .addHelpText('after', EXAMPLES)
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(see --help)')
    .exitOverride()
  const named = commands[args.find((word) => !word.startsWith('-')) ?? '']
  const loaders = named === undefined ? Object.values(commands) : [named]
  for (const register of await Promise.all(loaders.map((load) => load()))) register(program)
  for (const command of program.commands) command.exitOverride().showHelpAfterError('(see --help)')
  await program.parseAsync(args, { from: 'user' })
}

// A reader that leaves early (`portico status | head -1`) is no failure of ours.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE
  } else {
    process.stderr.write(`portico: ${error instanceof Error ? error.message : error}\n`)
    process.exitCode = EXIT_FAILURE
  }
}
