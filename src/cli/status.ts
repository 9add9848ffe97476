/** `portico status`: how a running site is doing. */
import { type Command, InvalidArgumentError } from 'commander'
import { parseDuration } from '../site/units.ts'
import { askAdmin } from '../supervisor/ask-admin.ts'
import { findAdmin } from './admin-client.ts'

interface Flags {
  readonly admin?: string
  readonly json?: true
  readonly metrics?: true
  readonly requests?: true
  readonly queries?: true
  /** ms; true: as often as is usual. */
  readonly watch?: number | true
}

const USUAL_INTERVAL_MS = 1_000
const SHORTEST_INTERVAL_MS = 100

const EXAMPLES = `
Examples:
  portico status                 the site that is served from this folder
  portico status site.yaml --json
  portico status --watch         live, until q is pressed; into a pipe: a line of JSON a second
  portico status --watch 5s      every five seconds
  portico status --requests      what is in hand at this moment, the oldest first
  portico status --metrics       as OpenMetrics, for a collector

Exit codes: 0 it runs, 1 it does not.
`

export function statusCommand(program: Command): void {
  program
    .command('status')
    .description('say how a running site is doing')
    .argument('[target]', 'what was given to serve', '.')
    .option('--admin <path>', 'the admin socket of the running site')
    .option('--json', 'print everything as JSON')
    .option('--metrics', 'print everything as OpenMetrics')
    .option('--requests', 'list the requests in hand')
    .option('--queries', 'with their queries, which may be secret')
    .option('--watch [interval]', 'show it live, as uwsgitop does; keys: q, s, r', interval)
    .addHelpText('after', EXAMPLES)
    .action(async (target: string, flags: Flags) => {
      const path = await findAdmin(target, flags.admin)
      if (flags.watch !== undefined) {
        const { watchStatus } = await import('./status-watch.ts')
        return watchStatus(path, flags.watch === true ? USUAL_INTERVAL_MS : flags.watch)
      }
      process.stdout.write(await tell(path, flags))
    })
}

async function tell(path: string, flags: Flags): Promise<string> {
  const ask = async (what: string): Promise<string> => (await askAdmin(path, 'GET', what)).body
  if (flags.metrics === true) return ask('/metrics')
  const { showRequests, showStatus } = await import('./status-text.ts')
  const { calm } = await import('./show.ts')
  if (flags.requests === true) {
    const body = await ask(flags.queries === true ? '/requests?queries' : '/requests')
    return flags.json === true ? body : calm(showRequests(JSON.parse(body)))
  }
  const body = await ask('/status')
  return flags.json === true ? body : calm(showStatus(JSON.parse(body)))
}

/** `5s`, `500ms`, or a number of seconds. */
function interval(text: string): number {
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : parseDuration(text)
  if (ms === undefined || ms < SHORTEST_INTERVAL_MS || ms > 3_600_000) {
    throw new InvalidArgumentError('An interval such as 1s, 500ms or 5; from 100ms to 1h.')
  }
  return ms
}
