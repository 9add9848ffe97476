/** `deadline`: how long a request may take, in one word or in three. */
import { z } from 'zod'
import {
  type Mapping,
  mapping,
  type OptionalDuration,
  optionalDuration,
  type RequiredDuration,
  requiredDuration,
} from '../setting-types.ts'

const parts = {
  soft: optionalDuration(
    'After this, where the worker stands is logged together with the request, which goes on. 0: never.',
  ) as OptionalDuration,
  hard: optionalDuration(
    'After this without the beginning of an answer the visitor gets 504, where the worker stands is logged, and one that is stuck is replaced. 0: no limit. Default: as in the short form.',
  ) as OptionalDuration,
  queue: optionalDuration(
    'Longest a request may wait for a worker; then the visitor gets 503 with `Retry-After`. 0: no limit. Default: as `hard`.',
  ) as OptionalDuration,
}

type Either = z.ZodUnion<readonly [RequiredDuration, Mapping<typeof parts>]>
export type Deadline = z.ZodPrefault<Either>
export type OptionalDeadline = z.ZodOptional<Either>

const ERROR = 'a duration with its unit, such as 30s, 0, or a mapping with soft, hard and queue'

function either(): Either {
  return z
    .union([requiredDuration(), mapping(parts)], { error: ERROR })
    .register(z.globalRegistry, { title: 'duration or mapping' })
}

export function deadline(preset: string, sentence: string): Deadline {
  return either().prefault(preset).register(z.globalRegistry, {
    title: 'duration or mapping',
    description: sentence,
  })
}

export function optionalDeadline(sentence: string): OptionalDeadline {
  return either().optional().register(z.globalRegistry, {
    title: 'duration or mapping',
    description: sentence,
  })
}

export type DeadlineSettings = z.output<Either>

/** The short form of `deadline` where the site file says nothing. */
export const USUAL_DEADLINE = '60s'
