/** `portico status`: how a running site is doing. */
import type { Command } from 'commander'
import type { SiteStatus } from '../supervisor/status.ts'
import { askAdmin, findAdmin } from './admin-client.ts'

interface Flags {
  readonly admin?: string
  readonly json?: true
  readonly metrics?: true
}

const EXAMPLES = `
Examples:
  portico status                 the site that is served from this folder
  portico status site.yaml --json
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
    .addHelpText('after', EXAMPLES)
    .action(async (target: string, flags: Flags) => {
      const path = await findAdmin(target, flags.admin)
      const what = flags.metrics === true ? '/metrics' : '/status'
      const { body } = await askAdmin(path, 'GET', what)
      const plain = flags.metrics === true || flags.json === true
      process.stdout.write(plain ? body : showStatus(JSON.parse(body)))
    })
}

/** For people. */
export function showStatus(status: SiteStatus): string {
  const { totals, server } = status
  const facts: [string, string][] = [
    ['site', status.site],
    ['urls', status.urls.join(' ')],
    ['state', showPhase(status)],
    ['since', `${showDuration(status.uptimeMs)} (pid ${status.pid}, server ${server.pid})`],
    ['visitors', `${totals.connections.open} connected, ${totals.connections.accepted} so far`],
    ['requests', `${totals.requests.active} in hand, ${totals.requests.total} so far`],
    ['answers', showAnswers(totals.answers)],
    ['traffic', `${showSize(totals.bytes.received)} in, ${showSize(totals.bytes.sent)} out`],
    ['memory', `${showSize(totals.memory.rss)} in ${server.threads} threads`],
  ]
  const lines = facts.map(([name, value]) => `${name.padEnd(10)}${value}`)
  const apps = Object.entries(status.apps)
  if (apps.length === 0) return `${lines.join('\n')}\n`
  const head = [
    'application',
    'state',
    'workers',
    'busy',
    'waiting',
    'requests',
    'errors',
    'restarts',
  ]
  const rows = apps.map(([name, app]) => [
    name,
    app.state,
    `${app.connected}`,
    `${app.busy}`,
    `${app.waiting}`,
    `${app.requests}`,
    `${app.errors}`,
    `${app.restarts}`,
  ])
  const broken = apps.filter(([, app]) => app.state === 'broken')
  const reasons = broken.map(([name, app]) => `\n${name} is broken: ${app.detail}`)
  return `${[...lines, '', ...table([head, ...rows]), ...reasons].join('\n')}\n`
}

function showPhase({ phase, generation, draining, lastReload }: SiteStatus): string {
  const old = draining.length === 0 ? '' : `, still finishing ${draining.join(', ')}`
  const failed = lastReload?.ok === false ? `; the last reload failed: ${lastReload.message}` : ''
  return `${phase}, generation ${generation}${old}${failed}`
}

function showAnswers(answers: Readonly<Record<string, number>>): string {
  const counted = Object.entries(answers).filter(([, count]) => count > 0)
  return counted.map(([name, count]) => `${name} ${count}`).join(', ') || 'none yet'
}

function showDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const [days, hours, minutes] = [
    seconds / 86_400,
    (seconds / 3_600) % 24,
    (seconds / 60) % 60,
  ].map(Math.floor)
  if (days) return `${days} d ${hours} h`
  if (hours) return `${hours} h ${minutes} min`
  return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`
}

function showSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let size = bytes
  let unit = 0
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024
    unit += 1
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`
}

/** Columns as wide as their widest cell; names left, numbers right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, i) => (i < 2 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  '),
  )
}
