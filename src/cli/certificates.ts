/** `portico certificates`: the automatic certificates of a running site, and one obtained at once. */
import type { Command } from 'commander'
import { askAdmin } from '../supervisor/ask-admin.ts'
import type { SiteStatus } from '../supervisor/status.ts'
import { findAdmin } from './admin-client.ts'
import { EXIT_FAILURE } from './exit.ts'

interface Flags {
  readonly admin?: string
  readonly json?: true
}

const EXAMPLES = `
Examples:
  portico certificates                        of the site that is served from this folder
  portico certificates site.yaml --json
  portico certificates renew www.example.com  obtain it now, whatever is due

Exit codes: 0 all are well, or renew is under way; 1 one is missing, has ended or is not obtained.
`

export function certificatesCommand(program: Command): void {
  const certificates = program
    .command('certificates')
    .description('show the automatic certificates of a running site, or renew one')
    .addHelpText('after', EXAMPLES)
  certificates
    .command('list', { isDefault: true })
    .description('list them with their ends and what is wrong (the default)')
    .argument('[target]', 'what was given to serve', '.')
    .option('--admin <path>', 'the admin socket of the running site')
    .option('--json', 'print them as JSON')
    .action(async (target: string, flags: Flags) => {
      const path = await findAdmin(target, flags.admin)
      const status: SiteStatus = JSON.parse((await askAdmin(path, 'GET', '/status')).body)
      const { certificatesText, isWell } = await import('./certificates-text.ts')
      const now = Date.now()
      const json = flags.json === true
      process.stdout.write(
        json ? `${JSON.stringify(status.automatic)}\n` : certificatesText(status.automatic, now),
      )
      if (!status.automatic.every((one) => isWell(one, now))) process.exitCode = EXIT_FAILURE
    })
  certificates
    .command('renew')
    .description('obtain a certificate now, whatever is due')
    .argument('<name>', 'the host')
    .argument('[target]', 'what was given to serve', '.')
    .option('--admin <path>', 'the admin socket of the running site')
    .action(async (name: string, target: string, flags: Flags) => {
      const path = await findAdmin(target, flags.admin)
      const answer = await askAdmin(path, 'POST', `/renew?name=${encodeURIComponent(name)}`)
      if (answer.status === 202) {
        process.stdout.write(`${name}: being obtained; see portico certificates, or the log\n`)
        return
      }
      process.stderr.write(`portico: ${JSON.parse(answer.body).error}\n`)
      process.exitCode = EXIT_FAILURE
    })
}
