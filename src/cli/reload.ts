/** `portico reload`: reads the site anew, without losing a request. */
import type { Command } from 'commander'
import { askAdmin } from '../supervisor/ask-admin.ts'
import type { ReloadResult } from '../supervisor/status.ts'
import { findAdmin } from './admin-client.ts'
import { EXIT_FAILURE } from './exit.ts'
import { calm } from './show.ts'

interface Flags {
  readonly admin?: string
  readonly json?: true
  readonly app?: string
  readonly rolling?: true
}

const EXAMPLES = `
Returns once the new site serves, or says why the old one still does.

Examples:
  portico reload                 the site that is served from this folder
  portico reload site.yaml
  portico reload --admin /run/portico/shop.sock
  portico reload --app shop      the code of that application alone
  portico reload --app shop --rolling

Exit codes: 0 the new site serves, 1 the old one still does.
`

export function reloadCommand(program: Command): void {
  program
    .command('reload')
    .description('read a running site anew, without losing a request')
    .argument('[target]', 'what was given to serve', '.')
    .option('--admin <path>', 'the admin socket of the running site')
    .option('--app <name>', 'reload the code of this application alone; settings stay as they are')
    .option('--rolling', 'with --app: one worker at a time, which needs less memory')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (target: string, flags: Flags) => {
      if (flags.rolling === true && flags.app === undefined) {
        program.error('error: --rolling goes with --app NAME')
      }
      process.exitCode = await reload(target, flags)
    })
}

async function reload(target: string, flags: Flags): Promise<number> {
  const { app, rolling } = flags
  const query = new URLSearchParams(app === undefined ? {} : { app })
  if (rolling === true) query.set('rolling', '1')
  const path = app === undefined ? '/reload' : `/reload?${query}`
  const answer = await askAdmin(await findAdmin(target, flags.admin), 'POST', path)
  const result: ReloadResult = JSON.parse(answer.body)
  if (flags.json === true) process.stdout.write(answer.body)
  else if (app !== undefined) tellApp(app, result)
  else if (result.ok) process.stdout.write(`reloaded: generation ${result.generation} serves\n`)
  else process.stderr.write(`not reloaded, the site serves as before: ${calm(result.message)}\n`)
  return result.ok ? 0 : EXIT_FAILURE
}

function tellApp(app: string, { ok, message }: ReloadResult): void {
  if (ok) process.stdout.write(`reloaded: application ${app}\n`)
  else process.stderr.write(`not reloaded, the site serves as before: ${calm(message)}\n`)
}
