/** `trace`: names of requests. */
import { z } from 'zod'
import { type Flag, flag, type Mapping, mapping } from '../setting-types.ts'

const parts = {
  answer: flag(true, 'Tell visitors the id of their request (`X-Request-Id`).') as Flag,
  sampled: flag(
    true,
    'What `traceparent` says of a trace that begins here: to be recorded, or not. Tools that decide themselves go by it.',
  ) as Flag,
}

export type TraceType = z.ZodPrefault<
  z.ZodUnion<readonly [z.ZodType<boolean, boolean | string>, Mapping<typeof parts>]>
>

export function traceType(sentence: string): TraceType {
  const error = 'true, false, or a mapping with answer and sampled'
  const either = z
    .boolean({ error })
    .register(z.globalRegistry, { title: 'true or false' }) as z.ZodType<boolean, boolean | string>
  return z
    .union([either, mapping(parts)], { error })
    .prefault(false)
    .register(z.globalRegistry, { title: 'true, false or mapping', description: sentence })
}

export type TraceSettings = z.output<TraceType>
