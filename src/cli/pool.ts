/** `portico pool`: the servers of a running site's pools, and whether they are to be asked. */
import type { Command } from 'commander'
import { askAdmin } from '../supervisor/ask-admin.ts'
import type { Ordered } from '../supervisor/pool-health.ts'
import type { SiteStatus } from '../supervisor/status.ts'
import { findAdmin } from './admin-client.ts'
import { EXIT_FAILURE, EXIT_USAGE } from './exit.ts'

interface Flags {
  readonly site: string
  readonly admin?: string
  readonly json?: true
}

const STATES = ['drain', 'maint', 'ready'] as const

const EXAMPLES = `
States, as HAProxy has them:
  drain   only visitors that belong to it already (persistence) still come; it is checked
  maint   nobody comes, and it is not checked
  ready   as if nothing had been said

What is ordered outlives reloads; a restart forgets it.

Examples:
  portico pool                               all servers of all pools
  portico pool backend                       those of one
  portico pool backend drain 10.0.0.1:80     before it is restarted
  portico pool backend ready 10.0.0.1:80     when it is back
  portico pool --site site.yaml              of the site that was served as site.yaml

Exit codes: 0 done, 1 there is no such pool or server, 2 not understood.
`

export function poolCommand(program: Command): void {
  program
    .command('pool')
    .description('show the servers of pools, drain them, put them into maintenance and back')
    .argument('[name]', 'the pool')
    .argument('[state]', `what a server is to be: ${STATES.join(', ')}`)
    .argument('[server]', 'its address, as in the site file')
    .option('--site <target>', 'what was given to serve', '.')
    .option('--admin <path>', 'the admin socket of the running site')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string | undefined, state: string | undefined, server, flags: Flags) => {
      if (state !== undefined && !(STATES as readonly string[]).includes(state)) {
        program.error(`error: a server can be ${STATES.join(', ')}, not ${state}`, {
          exitCode: EXIT_USAGE,
        })
      }
      if (state !== undefined && server === undefined) {
        program.error(`error: which server? portico pool ${name} ${state} SERVER`, {
          exitCode: EXIT_USAGE,
        })
      }
      const admin = await findAdmin(flags.site, flags.admin)
      process.exitCode =
        name !== undefined && state !== undefined
          ? await order(admin, { pool: name, server, state }, flags)
          : await list(admin, name, flags)
    })
}

async function list(admin: string, name: string | undefined, flags: Flags): Promise<number> {
  const { pools }: SiteStatus = JSON.parse((await askAdmin(admin, 'GET', '/status')).body)
  if (name !== undefined && pools[name] === undefined) {
    const known = Object.keys(pools).join(', ') || 'none'
    // Other commands take the site first.
    const site = /[./]/.test(name) ? `; for the pools of a site: portico pool --site ${name}` : ''
    process.stderr.write(`portico: there is no pool ${name}; there are: ${known}${site}\n`)
    return EXIT_FAILURE
  }
  const chosen = name === undefined ? pools : { [name]: pools[name]! }
  if (flags.json === true) process.stdout.write(`${JSON.stringify(chosen)}\n`)
  else {
    const { poolTable } = await import('./pool-text.ts')
    const lines = poolTable(chosen, Date.now())
    process.stdout.write(lines.length === 0 ? 'no pools\n' : `${lines.join('\n')}\n`)
  }
  return 0
}

async function order(
  admin: string,
  what: { readonly pool: string; readonly server: string; readonly state: string },
  flags: Flags,
): Promise<number> {
  const { status, body } = await askAdmin(admin, 'POST', `/pool?${new URLSearchParams(what)}`)
  if (flags.json === true) process.stdout.write(body)
  const { message, error = message }: Partial<Ordered> & { error?: string } = JSON.parse(body)
  if (flags.json !== true) {
    if (status === 200) process.stdout.write(`${message}\n`)
    else process.stderr.write(`portico: ${error}\n`)
  }
  return status === 200 ? 0 : EXIT_FAILURE
}
