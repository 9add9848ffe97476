/** The settings about jobs: `jobs`, and `apps.NAME.jobs`. */
import { z } from 'zod'
import {
  type Count,
  count,
  type Duration,
  duration,
  durationOrZero,
  type Mapping,
  mapping,
  type Section,
  type Size,
  section,
  size,
  type Text,
  type Texts,
  text,
  texts,
} from '../setting-types.ts'

const QUEUE = /^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,99}$/
const QUEUE_FORM = 'a name of letters, digits, _ . : and -'

/** Of a queue's jobs that do not say otherwise. */
const queue = {
  concurrency: count(
    0,
    0,
    100_000,
    'Most jobs of this queue that run at a time, on this machine; 0: as many as there are workers for it.',
  ) as Count,
  rate: text(
    '',
    'How many jobs of this queue may begin in a time, on this machine, such as 10/s, 100/m or 1000/h. Default: no limit.',
    'a rate such as 10/s, 100/m or 1000/h',
    /^$|^[1-9]\d{0,8}\/[smh]$/,
  ) as Text,
  retries: count(
    3,
    0,
    1000,
    'How often a job that failed is tried again before it becomes a dead letter.',
  ) as Count,
  backoff: duration(
    '1s',
    'The wait before a failed job is tried again; twice as long each time, an hour at most, less a random part.',
  ) as Duration,
  keep: durationOrZero(
    '1h',
    'How long the result of a job can be asked for; 0: it is not kept.',
  ) as Duration,
  deadline: durationOrZero(
    '0',
    'Longest a job may run: then it has failed. 0: as its worker has it.',
  ) as Duration,
  run: texts(
    [],
    'A program and its arguments that does the jobs of this queue, whatever it is written in: the payload is its standard input; PORTICO_JOB_NAME, _ID and _ATTEMPT are variables. Exit code 0: done, and what it printed is the result; 65: not to be tried again; any other: failed.',
    'a program and its arguments',
  ) as Texts,
  workers: count(1, 1, 1000, 'How many of `run` run at a time.') as Count,
}

type QueueType = Mapping<typeof queue>

function queueType(): QueueType {
  return mapping(queue).register(z.globalRegistry, {
    id: 'job-queue',
    description: 'How the jobs of a queue are done, where they do not say otherwise.',
  })
}

const whole = {
  engine: text(
    'local',
    'What keeps the jobs. `local`: a file of this machine, in `state`; `redis://host:6379/0`, for many machines; `amqp://user:password@host:5672/vhost`: RabbitMQ, for many machines. `rediss://` and `amqps://` over TLS.',
    'local, redis://host:6379/0 or amqp://host:5672',
    /^local$|^(rediss?|amqps?):\/\/\S+$/,
  ) as Text,
  size: size(
    '4GB',
    'Most room on the disk of this machine for jobs and results; who puts a job then is told so. 0: no bound but the disk’s.',
  ) as Size,
  payload: size(
    '1MB',
    'The longest payload of a job, and the longest result.',
    1024,
    64 * 1024 ** 2,
  ) as Size,
  queues: z
    .record(z.string().regex(QUEUE, { error: QUEUE_FORM }), queueType(), {
      error: 'a mapping of names to queues',
    })
    .prefault({})
    .register(z.globalRegistry, {
      description:
        'Queues that are not as usual, by name. Any other name is a queue, too, with the defaults.',
    }) as z.ZodPrefault<z.ZodRecord<z.ZodString, QueueType>>,
}

export type JobsType = Section<typeof whole>

export function jobsType(): JobsType {
  return section(
    whole,
    'Jobs: work that is done after the answer, kept until it is done. Applications put them with the module `portico`, any other program with `portico jobs put` or a client of Redis.',
  )
}

const workers = {
  workers: count(1, 1, 1000, 'Processes that do jobs.') as Count,
  queues: texts(
    ['default'],
    'The queues whose jobs they do, in this order: a later one is looked at when those before are empty.',
    QUEUE_FORM,
    QUEUE,
  ) as Texts,
  deadline: durationOrZero(
    '5m',
    'Longest a job may run that does not say otherwise: then its stack is logged, its worker replaced, and it has failed. 0: no limit.',
  ) as Duration,
  recycle: count(
    0,
    0,
    1_000_000_000,
    'A worker is replaced after so many jobs, and up to a tenth more at random; 0: never.',
  ) as Count,
}

const module = {
  module: text(
    '',
    'Node: the module that exports `jobs`. Default: the application’s own. Relative to this site file.',
    'a file such as ./jobs.ts',
  ) as Text,
}

type Workers<Shape extends z.ZodRawShape> = z.ZodOptional<Mapping<Shape>>
export type JobWorkersType = Workers<typeof workers>
export type NodeJobWorkersType = Workers<typeof workers & typeof module>

function workersType<Shape extends z.ZodRawShape>(
  shape: Shape,
  id: string,
  how: string,
): Workers<Shape> {
  const type = mapping(shape).register(z.globalRegistry, {
    id,
    description: 'Processes of an application that do jobs: `apps.NAME.jobs`.',
  })
  return type.optional().register(z.globalRegistry, {
    description: `Processes in this application’s code that do jobs: \`{ workers: 2, queues: [default] }\`. They call functions that ${how}.`,
  })
}

export function jobWorkersType(): JobWorkersType {
  return workersType(workers, 'job-workers', 'are decorated with `@portico.job`')
}

export function nodeJobWorkersType(): NodeJobWorkersType {
  return workersType({ ...workers, ...module }, 'node-job-workers', 'its module exports as `jobs`')
}
