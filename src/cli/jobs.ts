/** `portico jobs`: what waits, runs and has failed in a running site, and what to do about it. */
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { parseDuration } from '../site/units.ts'
import { CommonsClient } from './commons-client.ts'
import { EXIT_FAILURE } from './exit.ts'
import { jobTable, jobText, queuesText, type ShownJob, type ShownQueue } from './jobs-text.ts'

interface Flags {
  readonly site: string
  readonly admin?: string
  readonly json?: true
  readonly queue?: string
  readonly delay?: string
  readonly at?: string
  readonly priority?: string
  readonly retries?: string
  readonly key?: string
  readonly all?: true
  readonly state?: string
  readonly count: string
}

const EXAMPLES = `
Examples:
  portico jobs                            queues with their counts and ages
  portico jobs list mail --state running  jobs of a queue, one by one
  portico jobs put send '["a@b.c"]' --queue mail --delay 10m --priority 5
  echo '{"order": 5}' | portico jobs put bill -
  portico jobs show ID                    all that is known of a job, its result too
  portico jobs dead                       dead letters, with why they failed
  portico jobs retry ID                   one of them again; --all --queue mail: all of a queue
  portico jobs drop ID                    forget it
  portico jobs cancel ID                  a job that has not begun

Exit codes: 0 done, 1 failed, or there is no such job.
`

const QUEUE = 'default'
const MOST_DEAD = '1000'

export function jobsCommand(program: Command): void {
  const jobs = program
    .command('jobs')
    .description('look after the jobs of a running site, or put one')
    .addHelpText('after', EXAMPLES)
  const add = (
    name: string,
    description: string,
    act: (client: CommonsClient, words: string[], flags: Flags) => Promise<number>,
    isDefault = false,
  ): Command =>
    jobs
      .command(name, { isDefault })
      .description(description)
      .option('--site <target>', 'what was given to serve', '.')
      .option('--admin <path>', 'the admin socket of the running site')
      .option('--json', 'print the result as JSON')
      .action(async (...given: unknown[]) => {
        const flags = given.at(-2) as Flags
        const words = given.slice(0, -2).filter((word) => typeof word === 'string')
        const client = await CommonsClient.of(flags.site, flags.admin)
        try {
          process.exitCode = await act(client, words, flags)
        } finally {
          client.close()
        }
      })

  add('list', 'list the queues, or the jobs of one (the default)', list, true)
    .argument('[queue]', 'whose jobs to list')
    .option('--state <state>', 'waiting, delayed, running or dead', 'waiting')
    .option('--count <count>', 'how many at most', '100')
  add('put', 'put a job', put)
    .argument('<name>', 'what to do, as the workers know it')
    .argument('[payload]', 'JSON, or any text; - reads it from the standard input', '')
    .option('--queue <queue>', 'the queue', QUEUE)
    .option('--delay <duration>', 'not before so long from now, such as 10m')
    .option('--at <time>', 'not before this time, such as 2026-12-24T18:00:00+01:00')
    .option('--priority <number>', '0 to 9, 9 first')
    .option('--retries <number>', 'how often it is tried again')
    .option('--key <text>', 'put none while another with this key waits')
  add('show', 'show all that is known of a job', show).argument('<id>', 'the job')
  add('dead', 'list dead letters', dead).argument('[queue]', 'of this queue alone')
  add('retry', 'put dead letters back into their queue', (client, words, flags) =>
    settle(client, 'RETRY', words, flags),
  )
    .argument('[id]', 'the job')
    .option('--all', 'all of them')
    .option('--queue <queue>', 'with --all: of this queue alone')
  add('drop', 'forget dead letters', (client, words, flags) => settle(client, 'DROP', words, flags))
    .argument('[id]', 'the job')
    .option('--all', 'all of them')
    .option('--queue <queue>', 'with --all: of this queue alone')
  add('cancel', 'cancel a job that has not begun', cancel).argument('<id>', 'the job')
}

function print(flags: Flags, value: unknown, text: string): void {
  process.stdout.write(flags.json === true ? `${JSON.stringify(value)}\n` : `${text}\n`)
}

function complain(message: string): number {
  process.stderr.write(`portico: ${message}\n`)
  return EXIT_FAILURE
}

async function queuesOf(client: CommonsClient): Promise<ShownQueue[]> {
  return (await client.ask('PORTICO.JOB.QUEUES')) as ShownQueue[]
}

async function list(client: CommonsClient, [queue]: string[], flags: Flags): Promise<number> {
  if (queue === undefined) {
    const queues = await queuesOf(client)
    print(flags, queues, queuesText(queues, Date.now()))
    return 0
  }
  const { state = 'waiting', count } = flags
  const found = await client.ask('PORTICO.JOB.LIST', queue, state, count)
  print(flags, found, jobTable(found as ShownJob[], Date.now()))
  return 0
}

async function put(client: CommonsClient, [name = '', payload = '']: string[], flags: Flags) {
  const body = payload === '-' ? readFileSync(0) : Buffer.from(payload === '' ? '[]' : payload)
  const options: string[] = []
  if (flags.delay !== undefined) {
    const ms = parseDuration(flags.delay)
    if (ms === undefined) return complain(`--delay is a duration such as 10m: ${flags.delay}`)
    options.push('DELAY', String(ms))
  }
  if (flags.at !== undefined) {
    const at = Date.parse(flags.at)
    if (Number.isNaN(at)) {
      return complain(`--at is a time such as 2026-12-24T18:00:00+01:00: ${flags.at}`)
    }
    options.push('AT', String(at))
  }
  for (const [word, value] of [
    ['PRIORITY', flags.priority],
    ['RETRIES', flags.retries],
    ['KEY', flags.key],
  ] as const) {
    if (value !== undefined) options.push(word, value)
  }
  const id = await client.ask('PORTICO.JOB.PUT', flags.queue ?? QUEUE, name, body, ...options)
  print(flags, { id }, String(id))
  return 0
}

async function show(client: CommonsClient, [id = '']: string[], flags: Flags): Promise<number> {
  const job = (await client.ask('PORTICO.JOB.GET', id)) as ShownJob | null
  if (job === null) return complain(`no job ${id} is known: its result may have been forgotten`)
  print(flags, job, jobText(job, Date.now()))
  return 0
}

async function dead(client: CommonsClient, [queue]: string[], flags: Flags): Promise<number> {
  const queues = queue === undefined ? (await queuesOf(client)).map((one) => one.queue) : [queue]
  const found: ShownJob[] = []
  for (const name of queues) {
    found.push(...((await client.ask('PORTICO.JOB.LIST', name, 'dead', MOST_DEAD)) as ShownJob[]))
  }
  print(flags, found, jobTable(found, Date.now()))
  return 0
}

async function settle(
  client: CommonsClient,
  what: 'RETRY' | 'DROP',
  [id]: string[],
  flags: Flags,
): Promise<number> {
  if ((id === undefined) === (flags.all === undefined)) return complain('name a job, or say --all')
  let count = 0
  if (id !== undefined) count = Number(await client.ask(`PORTICO.JOB.${what}`, id))
  else {
    const all = flags.queue === undefined ? await queuesOf(client) : [{ queue: flags.queue }]
    for (const { queue } of all) {
      count += Number(await client.ask(`PORTICO.JOB.${what}`, 'QUEUE', queue))
    }
  }
  if (id !== undefined && count === 0) return complain(`${id} is no dead letter`)
  print(flags, { count }, `${count} ${what === 'RETRY' ? 'wait again' : 'forgotten'}`)
  return 0
}

async function cancel(client: CommonsClient, [id = '']: string[], flags: Flags): Promise<number> {
  const cancelled = (await client.ask('PORTICO.JOB.CANCEL', id)) === 1
  if (!cancelled) return complain(`${id} does not wait: it has begun, has ended, or never was`)
  print(flags, { cancelled }, 'cancelled')
  return 0
}
