/** `pools.NAME.schedule`: the name of a scheduler, or a mapping with its options. */
import { z } from 'zod'
import { MAGLEV_SIZES } from '../../schedulers/maglev-sizes.ts'
import { KEY_FORMS, SCHEDULE_NAMES } from '../schedules.ts'
import {
  type Choice,
  type Count,
  choice,
  type Flag,
  flag,
  type Mapping,
  mapping,
  numberOf,
  type RequiredText,
  type Texts,
  texts,
} from '../setting-types.ts'

/** Any text: what is none of them is told with the nearest one. */
function name(sentence: string, error = 'the name of a scheduler'): RequiredText {
  return z.string({ error }).register(z.globalRegistry, {
    title: 'text',
    description: sentence,
    enum: SCHEDULE_NAMES,
  })
}

const options = {
  by: name('The name of the scheduler: see [pools.md](pools.md).') as RequiredText,
  key: texts(
    [],
    'For `hash`, `mh`, `dh`, `lblc` and `lblcr`: what is hashed of a request: `address` (the visitor’s), `network` (its first three numbers), `destination` (the address it came to), `host`, `uri` (path and query), `path`, `header:NAME`, `cookie:NAME` or `query:NAME`; of a list, all together. Requests without it take turns.',
    KEY_FORMS,
  ) as Texts,
  consistent: flag(
    false,
    'For `hash`: a ring (ketama, as nginx has it), so that hardly any key moves when a server comes or goes.',
  ) as Flag,
  fallback: flag(
    true,
    'For `sh`, `dh` and `mh`: another server answers for one that cannot. False, as LVS has it without its fallback flags: nobody does.',
  ) as Flag,
  port: flag(false, 'For `sh` and `mh`: the visitor’s port is hashed, too.') as Flag,
  table: numberOf(
    4093,
    MAGLEV_SIZES,
    'For `mh`: places in the table; at least a hundred for each server spread evenly.',
  ) as Count,
  ties: choice(
    'first',
    ['first', 'turns'],
    'For `lc`, `wlc`, `sed` and `nq`: who is asked among equals: the first of the list, as with LVS, or each in turn by weight, as with nginx and HAProxy. Under the long names: turns.',
  ) as Choice<'first' | 'turns'>,
  smooth: flag(
    true,
    'For `wrr`: turns are spread evenly, `a b a c a`. False: as LVS has them, `a a a b c`.',
  ) as Flag,
}

type Forms = z.ZodUnion<readonly [RequiredText, Mapping<typeof options>]>
export type Schedule = z.ZodPrefault<Forms>
export type ScheduleSettings = z.output<Forms>

export function schedule(preset: string, sentence: string): Schedule {
  const error = 'the name of a scheduler, or a mapping with by'
  return z
    .union([name('A scheduler.', error), mapping(options)], { error })
    .register(z.globalRegistry, { title: 'scheduler or mapping' })
    .prefault(preset)
    .register(z.globalRegistry, { description: sentence }) as Schedule
}
