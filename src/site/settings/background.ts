/** What a site does beside answering visitors: `cron`, `timers`, `watch`, `daemons`. */
import { z } from 'zod'
import {
  type Choice,
  type Count,
  choice,
  count,
  type Duration,
  duration,
  durationOrZero,
  type Flag,
  flag,
  type Mapping,
  mapping,
  type RequiredDuration,
  type RequiredText,
  requiredDuration,
  requiredText,
  type Text,
  type TextMap,
  text,
  textMap,
} from '../setting-types.ts'
import { DURATION_PATTERN } from '../units.ts'
import { NODE_TARGET, PYTHON_TARGET, VARIABLE } from './names.ts'

type Preset<Out, In = Out> = z.ZodPrefault<z.ZodType<Out, In>>
type Command = string | string[]

const EVERY_DAY = 86_400_000
const NAME = /^$|^[A-Za-z0-9_][A-Za-z0-9_.:-]*$/

const commandType = (): z.ZodType<Command, Command> => {
  const line = z
    .string({ error: 'a command' })
    .refine((value) => !value.includes('\0'), { error: 'a command without NUL' })
  return z
    .union([line, z.array(line).min(1, { error: 'a program and its arguments' })], {
      error: 'a command for the shell, or a list: the program and its arguments',
    })
    .register(z.globalRegistry, { title: 'text or list' })
}

const COMMAND =
  'A command: text for `/bin/sh`, or a list of the program and its arguments. What it prints goes to the log; what it has started ends with it.'

const place = {
  dir: text('.', 'The working directory of `run`. Relative to this site file.', 'a folder') as Text,
  env: textMap(
    'Environment variables for `run`, on top of Portico’s own.',
    VARIABLE,
    'the name of a variable',
  ) as TextMap,
  user: text(
    '',
    'When started as root: whom `run` runs as. Default: the site’s `user`.',
    'a user name',
  ) as Text,
  group: text('', 'And with which group. Default: the user’s own.', 'a group name') as Text,
}

const SIGNAL = 'a name or a number'
const signal = z
  .union([z.string().regex(NAME, { error: SIGNAL }), z.number().int()], { error: SIGNAL })
  .transform(String)
  .register(z.globalRegistry, { title: 'text' })

/** What is to be done: exactly one of the first six. */
const action = {
  run: commandType()
    .prefault('')
    .register(z.globalRegistry, { description: COMMAND }) as Preset<Command>,
  call: text(
    '',
    'A function without arguments in the code of `app`, called in a process of its own. Python: `module:function`; Node: `./file.ts:function`, relative to this site file.',
    'module:function, such as "shop.tasks:clean" or "./tasks.ts:clean"',
    new RegExp(`^$|${PYTHON_TARGET.source}|${NODE_TARGET.source}`),
  ) as Text,
  get: text(
    '',
    'A path of this site, or an `http://` URL, that is asked for; an answer from 400 up is a failure. A path comes by the first `http` listener.',
    'a path such as /wp-cron.php, or an http:// URL',
    /^$|^\/|^http:\/\/[^/]/,
  ) as Text,
  job: text(
    '',
    'A job that is put into its queue: the name of a function that applications declare with `@job`.',
    'the name of a job',
    /^$|^[^\s]+$/,
  ) as Text,
  signal: signal.prefault('').register(z.globalRegistry, {
    description: 'A signal by its name, for what applications declare with `@on_signal`.',
  }) as Preset<string, string | number>,
  reload: flag(
    false,
    '`true`: the site is read anew, as by `portico reload`; with `app`, that application alone.',
  ) as Flag,
  app: text('', 'With `call` and `reload`: the application.', 'the name of an application') as Text,
  queue: text(
    'default',
    'With `job`: its queue.',
    'the name of a queue',
    /^[A-Za-z0-9_.:-]+$/,
  ) as Text,
  payload: text('[]', 'With `job`: its arguments, JSON.', 'JSON') as Text,
  host: text(
    'localhost',
    'With `get`: the Host field, for a path.',
    'a host name',
    /^[^\s/]+$/,
  ) as Text,
  name: text(
    '',
    'What logs, `portico status` and `portico cron` call it. Default: made of what it does.',
    'a name of letters, digits, - _ : and .',
    NAME,
  ) as Text,
  timeout: durationOrZero(
    '0',
    'Longest run: then it is told to end, and killed 5s later. 0: no limit.',
  ) as Duration,
}

const overlap = (usual: 'skip' | 'queue'): Choice<'skip' | 'queue' | 'allow'> =>
  choice(
    usual,
    ['skip', 'queue', 'allow'],
    'When its time comes while the last run goes on. `skip`: this one is left out; `queue`: it waits for the end of the last; `allow`: both run.',
  )

const jitter = durationOrZero(
  '0',
  'Each run is late by up to this long, at random, so that many machines do not all come at once.',
  EVERY_DAY,
) as Duration

const cron = {
  at: requiredText(
    'When, as in crontab(5): minute, hour, day of the month, month, day of the week; or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. When clocks are set, what has a time of day runs once: right after a leap over it, and at the first of two equal times.',
    'five fields such as "*/5 * * * *", or @daily',
  ) as RequiredText,
  zone: text(
    '',
    'The time zone that `at` means, such as Europe/Berlin. Default: the machine’s.',
    'a time zone such as Europe/Berlin',
  ) as Text,
  missed: choice(
    'skip',
    ['skip', 'once'],
    'What comes of times that passed while the site was down or the machine slept. `skip`: nothing; `once`: one run for all of them, as soon as can be. The last runs are kept in the folder `state`.',
  ) as Choice<'skip' | 'once'>,
  overlap: overlap('skip') as Choice<'skip' | 'queue' | 'allow'>,
  jitter: jitter as Duration,
}

const every = requiredDuration().register(z.globalRegistry, {
  title: 'duration',
  description: 'How often; first after that time.',
  pattern: DURATION_PATTERN,
})

const timer = {
  every: every as RequiredDuration,
  times: count(0, 0, 1_000_000_000, 'How often in all; 0: without end.') as Count,
  overlap: overlap('skip') as Choice<'skip' | 'queue' | 'allow'>,
  jitter: jitter as Duration,
}

const FILES = 'a path, or a list of them'
const files = z
  .union([z.string(), z.array(z.string()).min(1, { error: FILES })], { error: FILES })
  .transform((input) => (typeof input === 'string' ? [input] : input))
  .register(z.globalRegistry, {
    title: 'text or list',
    description:
      'Files, folders (what is directly in them) and patterns such as `conf/**/*.ini`, relative to this site file. They need not be there yet.',
  })

const watch = {
  files: files as z.ZodType<string[], Command>,
  settle: duration(
    '200ms',
    'How long nothing must change before it is told; what never rests is told after ten times that.',
  ) as Duration,
  overlap: overlap('queue') as Choice<'skip' | 'queue' | 'allow'>,
}

const SIGNALS = ['TERM', 'INT', 'QUIT', 'HUP', 'USR1', 'USR2', 'KILL'] as const

const daemon = {
  run: commandType().register(z.globalRegistry, {
    title: 'text or list',
    description: COMMAND,
  }) as z.ZodType<Command, Command>,
  restart: choice(
    'always',
    ['always', 'on-failure', 'never'],
    'When it is started again after its end, ever more slowly if it keeps ending within 5s. `on-failure`: unless its exit code is 0.',
  ) as Choice<'always' | 'on-failure' | 'never'>,
  ready: text(
    '',
    'How it is known to be ready, which the applications wait for: an address that it listens on, such as `127.0.0.1:6379` or `unix:./redis.sock`; or `log:` and a regular expression for a line that it prints. Default: as soon as it is started.',
    '127.0.0.1:6379, unix:./redis.sock, or log:pattern',
  ) as Text,
  'start-timeout': duration(
    '30s',
    'Longest until it is ready. Then a start goes on without it, and a reload fails.',
  ) as Duration,
  'stop-signal': choice(
    'TERM',
    SIGNALS,
    'What tells it, and what it has started, to end.',
  ) as Choice<(typeof SIGNALS)[number]>,
  'stop-timeout': durationOrZero(
    '10s',
    'How long it may take to end; then it is killed.',
  ) as Duration,
}

type Timed<Shape extends z.ZodRawShape> = Mapping<Shape & typeof action & typeof place>

export type CronType = Timed<typeof cron>
export type TimerType = Timed<typeof timer>
export type WatchType = Timed<typeof watch>
export type DaemonType = Mapping<typeof daemon & typeof place>
export type ActionSettings = z.output<Mapping<typeof action & typeof place>>
export type CronSettings = z.output<CronType>
export type TimerSettings = z.output<TimerType>
export type WatchSettings = z.output<WatchType>
export type DaemonSettings = z.output<DaemonType>

export type ListOf<T extends z.ZodType> = z.ZodPrefault<z.ZodArray<T>>

function timed<Shape extends z.ZodRawShape>(when: Shape): Timed<Shape> {
  return mapping({ ...when, ...action, ...place })
}

function listOf<T extends z.ZodType>(type: T, sentence: string, error: string): ListOf<T> {
  return z.array(type, { error }).prefault([]).register(z.globalRegistry, { description: sentence })
}

/** The keys of a site file that this part adds. */
export const background: {
  readonly cron: ListOf<CronType>
  readonly timers: ListOf<TimerType>
  readonly watch: ListOf<WatchType>
} = {
  cron: listOf(
    timed(cron),
    'What is to be done at times of day: `{ at: "*/5 * * * *", run: ./clean.sh }`.',
    'a list of mappings with `at` and what to do',
  ),
  timers: listOf(
    timed(timer),
    'What is to be done every so often: `{ every: 30s, app: shop, call: "shop.tasks:poll" }`.',
    'a list of mappings with `every` and what to do',
  ),
  watch: listOf(
    timed(watch),
    'What is to be done when files change: `{ files: conf/*.ini, reload: true }`.',
    'a list of mappings with `files` and what to do',
  ),
}

export function daemonType(): DaemonType {
  return mapping({ ...daemon, ...place }).register(z.globalRegistry, {
    id: 'daemon',
    description:
      'A program that is kept alive beside the site: started before the applications, ended after them. It has to stay in the foreground. Its output goes to the log with its name.',
  })
}
