/**
 * Jobs, for any client that speaks RESP. Times are ms; `receipt` is what LEASE gave.
 *
 *     PORTICO.JOB.PUT queue name payload [ID id] [DELAY ms] [AT ms since 1970] [PRIORITY 0-9] [RETRIES n]
 *                     [BACKOFF ms] [DEADLINE ms] [KEEP ms] [KEY text]             → id
 *     PORTICO.JOB.LEASE wait lease queue [queue …]   wait 0: as long as it takes  → job, or null
 *     PORTICO.JOB.DONE id receipt [result]                                        → 1, 0: not yours any more
 *     PORTICO.JOB.FAIL id receipt error [RETRY ms | DEAD]                         → 1, 0
 *     PORTICO.JOB.BACK id receipt        not begun: another takes it              → 1, 0
 *     PORTICO.JOB.TOUCH id receipt [lease]                                        → 1, 0
 *     PORTICO.JOB.GET id                                                          → facts, or null
 *     PORTICO.JOB.CANCEL id                                                       → 1, 0: it has begun
 *     PORTICO.JOB.QUEUES                                                          → facts of each
 *     PORTICO.JOB.LIST queue waiting|delayed|running|dead [count]                 → facts of each
 *     PORTICO.JOB.RETRY | DROP  id, or QUEUE name                                 → how many dead letters
 */
import {
  type Held,
  JobError,
  type JobFacts,
  type LivingState,
  type QueueFacts,
  type Which,
} from '../../jobs/engine.ts'
import { type JobWish, newJob, QUEUE_NAME } from '../../jobs/new-job.ts'
import type { JobsOffice } from '../../jobs/office.ts'
import { bytesOf, Failure, NO_ARRAY, Pairs, type Reply, textOf } from '../../wire/resp.ts'
import type { Client } from '../client.ts'
import { type Command, LATER } from '../registry.ts'
import { integer, NOT_A_NUMBER, SYNTAX } from '../words.ts'

const MOST_QUEUES = 100
const LONGEST_LEASE_MS = 86_400_000
const MOST_LISTED = 10_000
const USUAL_LISTED = 100
const states: readonly string[] = ['waiting', 'delayed', 'running', 'dead']

/** An engine takes its time; a transaction takes none. */
const NOT_IN_TRANSACTION = new Failure('ERR jobs are not for transactions')

type Words = readonly string[]

export function jobs(office: JobsOffice): readonly Command[] {
  /** Replies when the promise does; who has left meanwhile is told nothing. */
  const later = (client: Client, work: () => Promise<Reply>): Reply | typeof LATER => {
    if (client.atomic) return NOT_IN_TRANSACTION
    const reply = client.wait(() => {})
    work().then(reply, (error: unknown) => reply(refusal(error)))
    return LATER
  }
  const flag = async (yes: Promise<boolean> | boolean): Promise<Reply> => ((await yes) ? 1 : 0)
  const command = (
    name: string,
    arity: number,
    run: (args: Words, client: Client) => Promise<Reply>,
  ): Command => ({
    name: `PORTICO.JOB.${name}`,
    arity,
    run: (client, args) => later(client, () => run(args, client)),
  })

  return [
    command('PUT', -4, async (args) => {
      const wish = parseWish(args)
      if (wish instanceof Failure) return wish
      const desk = await office.desk()
      return bytesOf(await desk.put(newJob(wish, office.plan, Date.now())))
    }),
    {
      name: 'PORTICO.JOB.LEASE',
      arity: -4,
      run: (client, args) => lease(office, client, args),
    },
    command('DONE', -3, async ([, id = '', receipt = '', result = '']) => {
      if (result.length > office.plan.payload) {
        throw new JobError('INVALID', `a result of ${result.length} bytes; raise jobs.payload`)
      }
      const bytes = Buffer.from(result, 'latin1')
      return flag((await office.desk()).done(textOf(id), receipt, bytes))
    }),
    command('FAIL', -4, async ([, , receipt = '', error = '', word = '', ms = '']) => {
      const retry = word.toUpperCase() === 'RETRY' ? integer(ms) : -1
      const dead = word.toUpperCase() === 'DEAD'
      if (retry === null || (word !== '' && !dead && retry < 0)) return SYNTAX
      return flag((await office.desk()).fail(receipt, textOf(error), retry, dead))
    }),
    command('BACK', 3, async ([, , receipt = '']) => flag((await office.desk()).giveBack(receipt))),
    command('TOUCH', -3, async ([, , receipt = '', ms = '0']) => {
      const lease = integer(ms)
      if (lease === null || lease < 0 || lease > LONGEST_LEASE_MS) return NOT_A_NUMBER
      return flag((await office.desk()).touch(receipt, lease))
    }),
    command('GET', 2, async ([, id = '']) => {
      const facts = await (await office.desk()).records.find(textOf(id))
      return facts === null ? null : showJob(facts)
    }),
    command('CANCEL', 2, async ([, id = '']) =>
      flag((await office.desk()).records.cancel(textOf(id))),
    ),
    command('QUEUES', 1, async () => (await (await office.desk()).records.queues()).map(showQueue)),
    command('LIST', -3, async ([, queue = '', state = '', count = String(USUAL_LISTED)]) => {
      const most = integer(count)
      if (most === null || most < 1 || most > MOST_LISTED || !states.includes(state)) return SYNTAX
      const { records } = await office.desk()
      return (await records.list(textOf(queue), state as LivingState, most)).map(showJob)
    }),
    command('RETRY', -2, async (args) => {
      const which = parseWhich(args)
      return which === null ? SYNTAX : (await office.desk()).records.revive(which)
    }),
    command('DROP', -2, async (args) => {
      const which = parseWhich(args)
      return which === null ? SYNTAX : (await office.desk()).records.drop(which)
    }),
  ]
}

/** A worker: what it has in hand goes to another one when its connection closes. */
function lease(office: JobsOffice, client: Client, args: Words): Reply | typeof LATER {
  if (client.atomic) return NOT_IN_TRANSACTION
  const [, waitText = '', leaseText = '', ...names] = args
  const wait = integer(waitText)
  const leaseMs = integer(leaseText)
  if (wait === null || wait < 0) return new Failure('ERR wait is a number of ms')
  if (leaseMs === null || leaseMs < 1 || leaseMs > LONGEST_LEASE_MS) {
    return new Failure(`ERR lease is a number of ms, 1 to ${LONGEST_LEASE_MS}`)
  }
  if (names.length > MOST_QUEUES || names.some((name) => !QUEUE_NAME.test(name))) {
    return new Failure('ERR no such queue can be')
  }
  let timer: NodeJS.Timeout | undefined
  let takeBack = (): void => {}
  let over = false
  const stop = (): void => {
    over = true
    clearTimeout(timer)
    takeBack()
  }
  const reply = client.wait(stop)
  office.desk().then(
    (desk) => {
      if (over) return
      office.watch(client)
      const take = (held: Held): void => {
        over = true
        clearTimeout(timer)
        reply(showLease(held))
      }
      takeBack = desk.lease({ worker: client, queues: [...new Set(names)], leaseMs, take })
      if (wait === 0) return
      timer = setTimeout(() => {
        stop()
        reply(NO_ARRAY)
      }, wait)
    },
    (error: unknown) => reply(refusal(error)),
  )
  return LATER
}

function refusal(error: unknown): Failure {
  if (error instanceof JobError) return new Failure(`JOB${error.code} ${bytesOf(error.message)}`)
  return new Failure(`JOBBROKEN ${bytesOf(error instanceof Error ? error.message : String(error))}`)
}

const numbers: Readonly<Record<string, keyof JobWish>> = {
  DELAY: 'delayMs',
  AT: 'at',
  PRIORITY: 'priority',
  RETRIES: 'retries',
  BACKOFF: 'backoffMs',
  DEADLINE: 'deadlineMs',
  KEEP: 'keepMs',
}

function parseWish([, queue = '', name = '', payload = '', ...options]: Words): JobWish | Failure {
  const wish: Record<string, unknown> = {
    queue: textOf(queue),
    name: textOf(name),
    payload: Buffer.from(payload, 'latin1'),
  }
  if (options.length % 2 !== 0) return SYNTAX
  for (let at = 0; at < options.length; at += 2) {
    const word = options[at]!.toUpperCase()
    const value = options[at + 1]!
    const field = numbers[word]
    if (field !== undefined) {
      const number = integer(value)
      if (number === null) return NOT_A_NUMBER
      wish[field] = number
    } else if (word === 'ID') wish.id = textOf(value)
    else if (word === 'KEY') wish.key = textOf(value)
    else return SYNTAX
  }
  return wish as unknown as JobWish
}

function parseWhich([, first = '', second, ...more]: Words): Which | null {
  if (second === undefined) return { id: textOf(first) }
  return first.toUpperCase() === 'QUEUE' && more.length === 0 ? { queue: textOf(second) } : null
}

function showLease({ job, receipt }: Held): Reply {
  return new Pairs([
    ...['id', bytesOf(job.id), 'receipt', receipt, 'queue', job.queue, 'name', bytesOf(job.name)],
    ...['payload', Buffer.from(job.payload).toString('latin1')],
    ...['attempt', job.attempts, 'attempts', job.maxAttempts],
    ...['deadline', job.deadlineMs, 'put', job.putAt],
  ])
}

function showJob(facts: JobFacts): Reply {
  const bytes = (value: Uint8Array | null): string | null =>
    value === null ? null : Buffer.from(value).toString('latin1')
  return new Pairs([
    ...['id', bytesOf(facts.id), 'queue', facts.queue, 'name', bytesOf(facts.name)],
    ...['state', facts.state, 'priority', facts.priority],
    ...['attempt', facts.attempts, 'attempts', facts.maxAttempts],
    ...['put', facts.putAt, 'due', facts.dueAt, 'ended', facts.endedAt],
    ...['error', bytesOf(facts.error), 'result', bytes(facts.result)],
    ...['payload', bytes(facts.payload)],
  ])
}

function showQueue(facts: QueueFacts): Reply {
  return new Pairs([
    ...['queue', facts.queue, 'waiting', facts.waiting, 'delayed', facts.delayed],
    ...['running', facts.running, 'dead', facts.dead, 'oldest', facts.oldestAt],
  ])
}
