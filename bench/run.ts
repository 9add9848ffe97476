/** `npm run bench`: us and every rival in turn on the same cores. README.md tells how to read it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describeMachine, load, requireTools } from './harness/machine.ts'
import { killEverything, pinSelf } from './harness/processes.ts'
import {
  markdown,
  type Outcome,
  plainTable,
  type Report,
  remarksOf,
  tableOf,
  verdictTable,
} from './harness/report.ts'
import { Missing, type Rival } from './harness/rival.ts'
import { type Bench, failed, type Row, type Scenario } from './harness/scenario.ts'
import { judge } from './harness/targets.ts'
import { prepareVenv } from './harness/venv.ts'
import { SCENARIOS } from './scenarios/all.ts'

const RESULTS = join(import.meta.dirname, 'RESULTS.md')

const HELP = `npm run bench -- [options]
  --only NAMES     only these scenarios, by comma; a name may be cut short: --only wsgi,file-1k
  --rivals NAMES   only these rivals, by comma: --rivals Portico,nginx
  --rounds N       rounds of each measurement (5; quick: 1)
  --seconds N      length of each measurement, whole seconds (3; quick: 1)
  --quick          a first look in under four minutes; its figures wobble
  --out FILE       where to write the report; a whole, unhurried run writes bench/RESULTS.md
  --json           everything as JSON on stdout, progress on stderr
  --strict         exit code 2 when a promise is missed
Scenarios: ${SCENARIOS.map((scenario) => scenario.name).join(', ')}`

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string' },
    rivals: { type: 'string' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    out: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    strict: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const versions: Record<string, string> = {}
const startedAt = Date.now()

async function main(): Promise<number> {
  if (flags.help) {
    console.log(HELP)
    return 0
  }
  const quick = flags.quick
  const rounds = positive(flags.rounds, 'rounds') ?? (quick ? 1 : 5)
  const seconds = positive(flags.seconds, 'seconds') ?? (quick ? 1 : 3)
  const chosen = chooseScenarios(flags.only)
  requireTools()
  pinSelf()
  prepareVenv(progress)
  const loadBefore = load()
  if (loadBefore > 0.5) progress(`the machine is not quiet: load average ${loadBefore.toFixed(1)}`)

  const scratch = mkdtempSync(join(tmpdir(), 'portico-bench-'))
  const bench: Bench = { rounds, seconds, quick, scratch, select, progress }
  process.on('exit', () => {
    killEverything()
    rmSync(scratch, { recursive: true, force: true })
  })
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => process.exit(130))

  const outcomes: Outcome[] = []
  for (const scenario of chosen) {
    const outcome = { scenario, rows: await runOne(scenario, bench) }
    outcomes.push(outcome)
    if (!flags.json) show(outcome)
  }
  const report: Report = {
    command: ['npm run bench', ...process.argv.slice(2)].join(' ').replace(' --', ' -- --'),
    date: new Date().toISOString().slice(0, 10),
    machine: { ...describeMachine(), 'load average before': loadBefore.toFixed(1) },
    versions,
    rounds,
    seconds,
    outcomes,
    verdicts: judge(outcomes),
  }
  publish(report, !quick && !flags.only && !flags.rivals)
  if (outcomes.some(({ rows }) => rows.some((row) => row.absent === 'failed'))) return 1
  if (flags.strict && report.verdicts.some(({ outcome }) => outcome === 'missed')) return 2
  return 0
}

async function runOne(scenario: Scenario, bench: Bench): Promise<readonly Row[]> {
  progress(`${scenario.name}: ${scenario.title}`)
  try {
    return await scenario.run(bench)
  } catch (error) {
    return [failed(scenario.name, error)]
  }
}

function select(rivals: readonly Rival[]): { present: Rival[]; missing: Row[] } {
  const wanted = flags.rivals?.split(',')
  const present: Rival[] = []
  const missing: Row[] = []
  for (const rival of rivals) {
    if (wanted && !wanted.includes(rival.name)) continue
    try {
      versions[rival.name] = rival.version()
      present.push(rival)
    } catch (error) {
      if (!(error instanceof Missing)) throw error
      versions[rival.name] = error.message
      missing.push({ rival: rival.name, values: {}, remarks: [error.message], absent: 'missing' })
    }
  }
  return { present, missing }
}

function chooseScenarios(only: string | undefined): readonly Scenario[] {
  if (only === undefined) return SCENARIOS
  const names = only.split(',')
  for (const name of names) {
    if (!SCENARIOS.some((scenario) => scenario.name.startsWith(name))) {
      throw new Error(`there is no scenario ${name}\n${HELP}`)
    }
  }
  return SCENARIOS.filter((scenario) => names.some((name) => scenario.name.startsWith(name)))
}

function positive(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${name} takes a whole number`)
  return number
}

function show(outcome: Outcome): void {
  console.log(`\n${outcome.scenario.name}`)
  console.log(plainTable(tableOf(outcome)))
  for (const remark of remarksOf(outcome.rows)) console.log(`  ${remark}`)
  console.log()
}

function publish(report: Report, whole: boolean): void {
  if (flags.json) console.log(JSON.stringify(report, undefined, 2))
  else console.log(plainTable(verdictTable(report.verdicts)))
  const file = flags.out ?? (whole ? RESULTS : undefined)
  if (!file) return
  writeFileSync(file, markdown(report))
  progress(`written to ${file}`)
}

function progress(text: string): void {
  const minutes = ((Date.now() - startedAt) / 60_000).toFixed(1)
  process.stderr.write(`${minutes.padStart(5)} min  ${text}\n`)
}

try {
  process.exit(await main())
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
