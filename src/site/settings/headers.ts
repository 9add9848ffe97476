/** `headers` and `request-headers`: fields that are set, added and taken out on the way. */
import { z } from 'zod'
import {
  type Flag,
  flag,
  type Mapping,
  mapping,
  type TextMap,
  type Texts,
  textMap,
  texts,
} from '../setting-types.ts'
import { FIELD_NAME } from './names.ts'

const NAME = 'the name of a header field'

const edits = {
  set: textMap(
    'Fields that are said so, whatever was said before. "" takes the field out.',
    FIELD_NAME,
    NAME,
  ) as TextMap,
  add: textMap('Fields that are said beside those of the same name.', FIELD_NAME, NAME) as TextMap,
  default: textMap('Fields for where there is none of that name.', FIELD_NAME, NAME) as TextMap,
  remove: texts([], 'Fields that are taken out.', NAME, FIELD_NAME) as Texts,
}

const answers = {
  always: flag(
    true,
    'Of every answer, error pages too, as nginx’s `add_header … always`. False: only of 200, 201, 204, 206, 301, 302, 303, 304, 307 and 308.',
  ) as Flag,
}

type Answers = typeof edits & typeof answers
type Names = z.ZodRecord<z.ZodString, z.ZodUnion<readonly [z.ZodString, z.ZodNumber, z.ZodBoolean]>>
type EditsOf<Shape extends z.ZodRawShape> = z.ZodOptional<
  z.ZodUnion<readonly [Mapping<Shape>, Names]>
>
export type Headers = EditsOf<Answers>
export type RequestHeaders = EditsOf<typeof edits>

function editsOf<Shape extends z.ZodRawShape>(
  shape: Shape,
  id: string,
  about: string,
  sentence: string,
): EditsOf<Shape> {
  const value = z.union([z.string(), z.number(), z.boolean()], { error: 'text' })
  const error = 'names to text, or a mapping with set, add, default and remove'
  const names: Names = z.record(z.string().regex(FIELD_NAME, { error: NAME }), value, { error })
  const long = mapping(shape).register(z.globalRegistry, { id, description: about })
  return z
    .union([long, names], { error })
    .optional()
    .register(z.globalRegistry, { title: 'names to text, or mapping', description: sentence })
}

export const headers: Headers = editsOf(
  { ...edits, ...answers },
  'headers',
  'Header fields of answers. Values may hold variables under nginx’s names: `$host`, `$remote_addr`, `$scheme`, `$request_id`, `$http_NAME` and the like.',
  'Header fields of every answer: `{ X-Frame-Options: DENY }` sets them, "" takes one out; `{ set, add, default, remove }` for more. See [Filters](#filters).',
)

export const requestHeaders: RequestHeaders = editsOf(
  edits,
  'request-headers',
  'Header fields of requests, before who answers sees them. Values may hold variables, as in `headers`.',
  'Header fields of the request, for who answers it: `{ X-Tenant: a }` sets them, "" takes one out; `{ set, add, default, remove }` for more. See [Filters](#filters).',
)

export type EditSettings = NonNullable<z.output<Headers> | z.output<RequestHeaders>>
