/** `portico maintenance`: closes a running site, and opens it again. */
import type { Command } from 'commander'
import { WHOLE_SITE } from '../site/plan.ts'
import { askAdmin } from '../supervisor/ask-admin.ts'
import type { ClosedResult } from '../supervisor/closed.ts'
import { findAdmin } from './admin-client.ts'
import { EXIT_FAILURE } from './exit.ts'
import { calm } from './show.ts'

interface Flags {
  readonly admin?: string
  readonly json?: true
  readonly host?: string
}

const EXAMPLES = `
Visitors see a page with status 503, or what the key maintenance in the site file says, until the site is
opened again. Reloads change nothing of it; it ends with the process. health and metrics routes, and routes
with maintenance: false, go on.

Examples:
  portico maintenance on                        the site that is served from this folder
  portico maintenance on --host www.example.com
  portico maintenance off site.yaml

Exit codes: 0 done, 1 not.
`

export function maintenanceCommand(program: Command): void {
  program
    .command('maintenance')
    .description('close a running site for maintenance, or open it again')
    .argument('<state>', 'on or off')
    .argument('[target]', 'what was given to serve', '.')
    .option('--admin <path>', 'the admin socket of the running site')
    .option('--host <name>', 'this host alone, as the site file names it')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (state: string, target: string, flags: Flags) => {
      if (state !== 'on' && state !== 'off') program.error('error: say on or off')
      process.exitCode = await change(state, target, flags)
    })
}

async function change(state: string, target: string, flags: Flags): Promise<number> {
  const query = new URLSearchParams({ state })
  if (flags.host !== undefined) query.set('host', flags.host)
  const admin = await findAdmin(target, flags.admin)
  const answer = await askAdmin(admin, 'POST', `/maintenance?${query}`)
  const { ok, message, closed }: ClosedResult = JSON.parse(answer.body)
  if (flags.json === true) process.stdout.write(answer.body)
  else if (!ok) process.stderr.write(`${calm(message)}\n`)
  else if (closed.length === 0) process.stdout.write('the site is open\n')
  else process.stdout.write(`closed for maintenance: ${showClosed(closed)}\n`)
  return ok ? 0 : EXIT_FAILURE
}

/** What is closed, for people. */
export function showClosed(closed: readonly string[]): string {
  return closed.map((name) => (name === WHOLE_SITE ? 'the whole site' : calm(name))).join(', ')
}
