/** `portico` as commander knows it. */
import { Command } from 'commander'
import about from '../../package.json' with { type: 'json' }
import { commands } from './commands.ts'

const EXAMPLES = `
Examples:
  portico serve                  serve what this folder holds
  portico serve site.yaml        serve what the site file says
  portico serve shop.wsgi:app    serve a WSGI application
  portico reload site.yaml       read the site anew, without losing a request

Exit codes: 0 done, 1 failed, 2 not understood.
`

/** With the command `name` alone, or with every one when there is none of that name. */
export async function createProgram(name = ''): Promise<Command> {
  const program = new Command('portico')
    .description('The whole serving path of a web site, in one program with one site file.')
    .version(about.version)
    .addHelpText('after', EXAMPLES)
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(see --help)')
    .exitOverride()
    .enablePositionalOptions()
  const named = commands[name]
  const loaders = named === undefined ? Object.values(commands) : [named]
  for (const register of await Promise.all(loaders.map((load) => load())))
    register(program, () => createProgram())
  for (const command of program.commands) command.exitOverride().showHelpAfterError('(see --help)')
  return program
}
