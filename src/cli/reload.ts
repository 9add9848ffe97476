/** `portico reload`: reads the site anew, without losing a request. */
import type { Command } from 'commander'
import type { ReloadResult } from '../supervisor/status.ts'
import { askAdmin, findAdmin } from './admin-client.ts'
import { EXIT_FAILURE } from './exit.ts'

interface Flags {
  readonly admin?: string
  readonly json?: true
}

const EXAMPLES = `
Returns once the new site serves, or says why the old one still does.

Examples:
  portico reload                 the site that is served from this folder
  portico reload site.yaml
  portico reload --admin /run/portico/shop.sock

Exit codes: 0 the new site serves, 1 the old one still does.
`

export function reloadCommand(program: Command): void {
  program
    .command('reload')
    .description('read a running site anew, without losing a request')
    .argument('[target]', 'what was given to serve', '.')
    .option('--admin <path>', 'the admin socket of the running site')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (target: string, flags: Flags) => {
      process.exitCode = await reload(target, flags)
    })
}

async function reload(target: string, flags: Flags): Promise<number> {
  const answer = await askAdmin(await findAdmin(target, flags.admin), 'POST', '/reload')
  const result: ReloadResult = JSON.parse(answer.body)
  if (flags.json === true) process.stdout.write(answer.body)
  else if (result.ok) process.stdout.write(`reloaded: generation ${result.generation} serves\n`)
  else process.stderr.write(`not reloaded, the site serves as before: ${result.message}\n`)
  return result.ok ? 0 : EXIT_FAILURE
}
