/** `npm run soak`: everything that may happen to a site, at the same time, for long. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describeMachine, load, requireTools } from '../harness/machine.ts'
import { killEverything, pinSelf } from '../harness/processes.ts'
import { markdownTable, plainTable } from '../harness/report.ts'
import { judge } from './judging.ts'
import { type Facts, soak } from './soak.ts'
import { linesOf } from './telling.ts'

const HELP = `npm run soak -- [options]
  --minutes N   with reloads of the whole site, each with a server process of its own (10)
  --alone N     then with one server process that lives so long (half of it; 0: not at all)
  --pause MS    of each visitor between an answer and the next request (0: full load)
  --kept N      visitors that keep their connections (16)
  --fresh N     visitors that open one for each request (4)
  --recycle N   requests after which a worker is replaced (500)
  --raw         let supervisor and server collect their garbage when they like: else they do it every
                ten seconds, so that only what lives counts as memory
  --keep        leave the folder with log and journal
  --out FILE    where to write the tables (bench/SOAK.md after 10 minutes or more)
Exit code 1 when a promise is broken.`

const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    alone: { type: 'string' },
    pause: { type: 'string', default: '0' },
    kept: { type: 'string', default: '16' },
    fresh: { type: 'string', default: '4' },
    recycle: { type: 'string', default: '500' },
    raw: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    out: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

const RELOAD_MS = 5_000
const KILL_MS = 1_000
const DEADLINE_MS = 3_000
const WHOLE_MINUTES = 10

const startedAt = Date.now()

async function main(): Promise<number> {
  if (flags.help) {
    console.log(HELP)
    return 0
  }
  const minutes = number(flags.minutes, 'minutes')
  const alone = flags.alone === undefined ? minutes / 2 : number(flags.alone, 'alone')
  requireTools()
  pinSelf()
  const scratch = mkdtempSync(join(tmpdir(), 'portico-soak-'))
  process.on('exit', () => {
    killEverything()
    if (flags.keep) progress(`left in ${scratch}`)
    else rmSync(scratch, { recursive: true, force: true })
  })
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => process.exit(130))

  const before = load()
  const parts: { title: string; table: string[][]; broken: readonly string[] }[] = []
  for (const [title, part, whole] of [
    ['Everything at once', minutes, true],
    ['The same with one server process', alone, false],
  ] as const) {
    if (part === 0) continue
    progress(`${title}: ${part} min`)
    const facts = await run(join(scratch, whole ? 'whole' : 'alone'), part * 60, whole)
    const judgement = judge(facts)
    const table = [['', title], ...linesOf(facts, judgement)]
    console.log(`\n${plainTable(table)}\n`)
    for (const promise of judgement.broken) console.log(`BROKEN: ${promise}`)
    parts.push({ title, table, broken: judgement.broken })
  }
  const out = flags.out ?? (minutes >= WHOLE_MINUTES ? join(import.meta.dirname, '../SOAK.md') : '')
  if (out !== '') {
    writeFileSync(out, report(parts, before))
    progress(`written to ${out}`)
  }
  return parts.some(({ broken }) => broken.length > 0) ? 1 : 0
}

function run(folder: string, seconds: number, whole: boolean): Promise<Facts> {
  return soak({
    folder,
    seconds,
    whole,
    reloadMs: RELOAD_MS,
    killMs: KILL_MS,
    recycle: number(flags.recycle, 'recycle'),
    deadlineMs: DEADLINE_MS,
    kept: number(flags.kept, 'kept'),
    fresh: number(flags.fresh, 'fresh'),
    pauseMs: number(flags.pause, 'pause'),
    collects: !flags.raw,
    progress,
  })
}

function number(text: string, name: string): number {
  const value = Number(text)
  if (!(value >= 0)) throw new Error(`--${name} takes a number\n${HELP}`)
  return value
}

function report(
  parts: readonly { title: string; table: string[][]; broken: readonly string[] }[],
  before: number,
): string {
  const machine = { ...describeMachine(), 'load average before': before.toFixed(1) }
  const sections = parts.map(({ title, table, broken }) => {
    const said =
      broken.length === 0
        ? 'Every promise was kept.'
        : broken.map((one) => `- BROKEN: ${one}`).join('\n')
    return `## ${title}\n\n${markdownTable(table)}\n\n${said}`
  })
  const command = ['npm run soak', ...process.argv.slice(2)].join(' ').replace(' --', ' -- --')
  return `# Soak

Written by \`${command}\` on ${new Date().toISOString().slice(0, 10)}. While visitors are served, all at once: a
reload every ${RELOAD_MS / 1000} s (the whole site, one application, one application worker by worker, in turn),
a worker killed (-9) every second, workers replaced after ${flags.recycle} requests, an application that leaks
and is replaced for its memory, one request in a thousand that sleeps past its deadline of
${DEADLINE_MS / 1000} s. Two in three requests are GET, the others POST with bodies up to 300 KB; every answer is
checked; every request is noted by the application that begins it. A promise is broken by a request without an
answer, by one that was executed twice, by a 502 of a worker that nobody has killed, by more than one 502 for a
worker that takes one request at a time, by a 504 for a request that does not sleep, by a reload that fails or
after which old code answers, by memory that grows, by anything that is left behind.

${sections.join('\n\n')}

## Where

${markdownTable([['machine', 'is'], ...Object.entries(machine)])}
`
}

function progress(text: string): void {
  const minutes = ((Date.now() - startedAt) / 60_000).toFixed(1)
  process.stderr.write(`${minutes.padStart(5)} min  ${text}\n`)
}

try {
  process.exit(await main())
} catch (error) {
  console.error(error instanceof Error ? error.stack : error)
  process.exit(1)
}
