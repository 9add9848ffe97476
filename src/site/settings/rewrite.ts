/** `rewrite`: other paths for requests, before they are answered. */
import { z } from 'zod'
import {
  type Count,
  type Flag,
  flag,
  type Mapping,
  mapping,
  numberOf,
  type RequiredText,
  requiredText,
  type Text,
  text,
} from '../setting-types.ts'

const rule = {
  match: requiredText(
    'A regular expression for the decoded path: `^/old/(.*)$`.',
    'a regular expression',
  ) as RequiredText,
  to: requiredText(
    'What the path becomes; `$1` … `$9` are groups, variables have nginx’s names. With a `?` it has a query, to which that of the request is added unless it ends in `?`. With a `status` it may be a URL.',
    'a path, or a URL with status',
  ) as RequiredText,
  status: numberOf(
    0,
    [0, 301, 302, 303, 307, 308],
    'Send the visitor there. 0: the request is answered as if that had been asked for.',
  ) as Count,
  again: flag(
    false,
    'Find the route anew, as nginx’s `last`: the request goes to whatever answers the new path. False: this route answers it, as nginx’s `break`.',
  ) as Flag,
}

const PATH = /^(\/([^?#%\s]|%[0-9A-Fa-f]{2})*)?$/

const whole = {
  strip: text(
    '',
    'What the path loses at its beginning: `/api` makes `/api/users` `/users`. Paths that begin otherwise stay as they are.',
    'a path such as /api',
    PATH,
  ) as Text,
  add: text(
    '',
    'What the path gets at its beginning, after `strip`.',
    'a path such as /v1',
    PATH,
  ) as Text,
  rules: z
    .array(mapping(rule), { error: 'a list of rules' })
    .prefault([])
    .register(z.globalRegistry, {
      title: 'list',
      description: 'Rules with `match` and `to`; the first that matches holds, and no other.',
    }) as Rules,
}

type Rule = Mapping<typeof rule>
type Rules = z.ZodPrefault<z.ZodArray<Rule>>
type Pairs = z.ZodRecord<z.ZodString, z.ZodString>
export type Rewrite = z.ZodOptional<
  z.ZodUnion<readonly [Pairs, Mapping<typeof whole>, z.ZodArray<Rule>]>
>

const ERROR = 'expressions to paths, { strip: /api }, or a list of rules with match and to'

function rewriteType(): Rewrite {
  const long = mapping(whole).register(z.globalRegistry, {
    id: 'rewrite',
    description:
      'Another path for the request. It is matched decoded and written encoded: nothing of a visitor’s is decoded twice, and nothing climbs with `..`.',
  })
  const one = mapping(rule).register(z.globalRegistry, {
    id: 'rewrite-rule',
    description: 'A rule of `rewrite`.',
  })
  const pairs = z.record(
    z.string().regex(/^[\^~/(]/, { error: 'a regular expression such as ^/old/(.*)$' }),
    z.string({ error: 'what the path becomes' }),
    { error: ERROR },
  )
  return z
    .union([pairs, long, z.array(one, { error: ERROR })], { error: ERROR })
    .optional()
    .register(z.globalRegistry, {
      title: 'mapping or list',
      description:
        'Another path for the request: `{ "^/old/(.*)$": "/new/$1" }`, `{ strip: /api }`, or a list of rules. See [Filters](#filters).',
    })
}

export const rewrite: Rewrite = rewriteType()
export type RewriteSettings = NonNullable<z.output<Rewrite>>
export type RewriteRuleSettings = z.output<Rule>
