/** How many workers an application has, when they are replaced, what reloads it. */
import { z } from 'zod'
import {
  type AutoCount,
  autoCount,
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
  type Section,
  type Size,
  section,
  size,
  type Texts,
  texts,
} from '../setting-types.ts'

const MOST = 4096
/** Timers of Node count no further: 24 days. */
const LONGEST_AGE = 2_073_600_000

const busyness = {
  min: count(25, 0, 100, 'Per cent of their time; workers that work less are too many.') as Count,
  max: count(50, 1, 100, 'Per cent of their time; workers that work more are too few.') as Count,
  multiplier: count(
    10,
    1,
    10_000,
    'Rounds (of `overload` times `every`) with too many before one ends.',
  ) as Count,
  penalty: count(
    2,
    0,
    10_000,
    'Added to `multiplier` when a worker was missed soon after its end.',
  ) as Count,
  'backlog-alert': count(
    33,
    1,
    1_000_000,
    'Waiting requests at which workers are added at once.',
  ) as Count,
  'backlog-step': count(1, 1, MOST, 'How many.') as Count,
  'backlog-multiplier': count(
    3,
    1,
    10_000,
    'The `multiplier` while such workers are there.',
  ) as Count,
}

const parts = {
  min: count(
    1,
    0,
    MOST,
    'Fewest. 0: an application that nobody has asked for `idle` has no worker; the next request starts one, and waits for it.',
  ) as Count,
  max: autoCount(MOST, 'Most. `auto`: as in the short form.') as AutoCount,
  by: choice(
    'spare',
    ['spare', 'backlog', 'busyness', 'delay'],
    'How the number is found. `spare`: some workers are kept free; `backlog`: by the requests that wait; `busyness`: by the part of their time that workers work; `delay`: by how long requests wait. The first three are uWSGI’s.',
  ) as Choice<'spare' | 'backlog' | 'busyness' | 'delay'>,
  spare: count(1, 1, MOST, 'Free workers that are kept; for `spare`.') as Count,
  delay: duration('100ms', 'The waiting time that is aimed at; for `delay`.') as Duration,
  busyness: section(busyness, 'Bounds of `busyness`.') as Section<typeof busyness>,
  step: count(1, 1, MOST, 'Workers that are added at a time.') as Count,
  overload: count(
    3,
    0,
    1_000_000,
    'How often in a row there have to be too few, or too many, before something is done; for `backlog` the number of waiting requests above which workers are added. With `spare`, requests that wait while no worker finishes anything do not wait for that.',
  ) as Count,
  every: duration('1s', 'How often is looked.') as Duration,
  idle: duration(
    '5m',
    'With `min: 0`: how long nobody came before the last worker ends.',
  ) as Duration,
  warm: flag(
    true,
    'With `min: 0`: the warm parent stays while there is no worker, so that one starts in milliseconds. `false`: nothing stays.',
  ) as Flag,
  memory: size(
    '0',
    'Resident memory of all workers above which none is added, and those beyond `min` end one by one. 0: no limit.',
  ) as Size,
}

type Either = z.ZodUnion<readonly [AutoCount, Mapping<typeof parts>]>
export type Workers = z.ZodPrefault<Either>
export type WorkersSettings = z.output<Either>
export type ScaleSettings = Exclude<WorkersSettings, number | 'auto'>

/** `workers`: a number, or how it follows the load. */
export function workers(sentence: string): Workers {
  const error = 'auto, a number, or a mapping with min and max'
  const short = autoCount(MOST, sentence)
  return z
    .union([short, mapping(parts)], { error })
    .register(z.globalRegistry, { title: 'number, auto or mapping' })
    .prefault('auto')
    .register(z.globalRegistry, { title: 'number, auto or mapping', description: sentence })
}

const recycle = {
  requests: count(0, 0, 1_000_000_000, 'After so many requests.') as Count,
  age: durationOrZero('0', 'After so long.', LONGEST_AGE) as Duration,
  memory: size('0', 'When its resident memory is larger.') as Size,
  'address-space': size('0', 'When its address space is larger.') as Size,
  idle: durationOrZero(
    '0',
    'When it has done something, and then nothing for so long.',
    LONGEST_AGE,
  ) as Duration,
  jitter: count(
    10,
    0,
    100,
    'Per cent of `requests`, `age` and `idle` that are added by chance, so that workers do not go together.',
  ) as Count,
}

const reload = {
  touch: texts(
    [],
    'Files whose change reloads this application’s code, and nothing else.',
    'the path of a file',
  ) as Texts,
  rolling: flag(
    false,
    'A reload of this application alone replaces one worker at a time: that needs the memory of one worker more, instead of twice as many.',
  ) as Flag,
}

/** What every kind of application has. */
export const lifecycle: {
  workers: Workers
  recycle: Section<typeof recycle>
  reload: Section<typeof reload>
} = {
  workers: workers(
    'Processes that run requests. `auto`: WEB_CONCURRENCY where it is set, else one a core, and four for PHP. A mapping lets the number follow the load: see below.',
  ),
  recycle: section(
    recycle,
    'When a worker is replaced. Its successor is there before it leaves, and never more than a quarter of the workers go at a time. 0: not for that reason.',
  ) as Section<typeof recycle>,
  reload: section(reload, 'What reloads this application alone, and how.') as Section<
    typeof reload
  >,
}

/** Of the site. */
export const siteLifecycle: { 'need-app': Flag; touch: Texts } = {
  'need-app': flag(
    false,
    'A site none of whose applications loads does not start: exit code 1.',
  ) as Flag,
  touch: texts([], 'Files whose change reloads the site.', 'the path of a file') as Texts,
}
