/** `cors`: which other sites’ pages may read the answers. */
import { z } from 'zod'
import {
  type Duration,
  durationOrZero,
  type Flag,
  flag,
  type Mapping,
  mapping,
  type Texts,
  texts,
} from '../setting-types.ts'
import { FIELD_NAME } from './names.ts'

const ORIGIN = 'an origin such as https://app.example.com, https://*.example.com, ~REGEX, null or *'
const TOKEN_OR_STAR = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)$/

const shape = {
  origins: texts(
    ['*'],
    'Whose pages may: origins, `https://*.example.com` for every name below it, `~` and a regular expression for the whole origin, `null`, or `*` for all.',
    ORIGIN,
  ) as Texts,
  methods: texts(
    ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    'What they may ask.',
    'a method',
    TOKEN_OR_STAR,
  ) as Texts,
  headers: texts(
    ['content-type', 'authorization', 'x-requested-with'],
    'Request fields that they may send besides the plain ones; `*`: all that are asked for.',
    'the name of a header field, or *',
    FIELD_NAME,
  ) as Texts,
  expose: texts(
    [],
    'Fields of answers that they may read besides the plain ones.',
    'the name of a header field, or *',
    FIELD_NAME,
  ) as Texts,
  credentials: flag(
    false,
    'With cookies and passwords of the visitor. Never together with `origins: "*"`.',
  ) as Flag,
  'max-age': durationOrZero(
    '10m',
    'How long browsers need not ask again what they may; 0: they ask each time.',
  ) as Duration,
  'private-network': flag(
    false,
    'Pages of public sites may reach this one in a private network.',
  ) as Flag,
}

type Long = Mapping<typeof shape>
export type Cors = z.ZodOptional<z.ZodUnion<readonly [z.ZodString, z.ZodArray<z.ZodString>, Long]>>

const ERROR = `${ORIGIN}; a list of them; or a mapping`

function corsType(): Cors {
  const long = mapping(shape).register(z.globalRegistry, {
    id: 'cors',
    description:
      'Which other sites’ pages may read the answers (the Fetch standard, CORS). Preflight requests are answered here.',
  })
  return z
    .union(
      [z.string({ error: ERROR }), z.array(z.string({ error: ORIGIN }), { error: ERROR }), long],
      {
        error: ERROR,
      },
    )
    .optional()
    .register(z.globalRegistry, {
      title: 'origin, list or mapping',
      description:
        'Which other sites’ pages may read the answers: `"*"`, origins, or a mapping. See [Filters](#filters).',
    })
}

export const cors: Cors = corsType()
export type CorsSettings = z.output<Long>
export type CorsForm = NonNullable<z.output<Cors>>

export function parseCors(origins: string | readonly string[]): CorsSettings {
  return mapping(shape).parse({ origins: typeof origins === 'string' ? [origins] : [...origins] })
}
