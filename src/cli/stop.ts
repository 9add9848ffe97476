/** `portico stop`: lets a running site finish what it has in hand, and waits until it has ended. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { askAdmin } from '../supervisor/ask-admin.ts'
import { isAlive } from '../system/alive.ts'
import { findAdmin } from './admin-client.ts'
import { EXIT_FAILURE } from './exit.ts'

interface Flags {
  readonly admin?: string
  readonly timeout: string
  readonly json?: true
}

const POLL_MS = 20

const EXAMPLES = `
Examples:
  portico stop                   the site that is served from this folder
  portico stop site.yaml
  portico stop --timeout 5       wait for at most five seconds

Exit codes: 0 it has ended, 1 it has not.
`

export function stopCommand(program: Command): void {
  program
    .command('stop')
    .description('stop a running site, after what it has in hand')
    .argument('[target]', 'what was given to serve', '.')
    .option('--admin <path>', 'the admin socket of the running site')
    .option('--timeout <seconds>', 'how long to wait for the end', '60')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (target: string, flags: Flags) => {
      const seconds = Number(flags.timeout)
      if (!(seconds >= 0))
        program.error(`error: --timeout is a number of seconds: ${flags.timeout}`)
      process.exitCode = await stop(target, flags, seconds * 1000)
    })
}

async function stop(target: string, flags: Flags, timeoutMs: number): Promise<number> {
  const answer = await askAdmin(await findAdmin(target, flags.admin), 'POST', '/stop')
  const { pid }: { pid: number } = JSON.parse(answer.body)
  const deadline = performance.now() + timeoutMs
  while (isAlive(pid) && performance.now() < deadline) await sleep(POLL_MS)
  const stopped = !isAlive(pid)
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ stopped, pid })}\n`)
  else if (stopped) process.stdout.write(`stopped (pid ${pid})\n`)
  else process.stderr.write(`still stopping (pid ${pid}); a second signal INT stops it at once\n`)
  return stopped ? 0 : EXIT_FAILURE
}
