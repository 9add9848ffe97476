/** `maintenance` and `errors`: what visitors see when the site itself is not to be seen. */
import { z } from 'zod'
import {
  type Choice,
  type Count,
  choice,
  type Duration,
  duration,
  type Mapping,
  mapping,
  numberOf,
  type Text,
  type Texts,
  text,
  texts,
} from '../setting-types.ts'

const shape = {
  when: choice(
    'told',
    ['told', 'always', 'file'],
    'When: once `portico maintenance on` is said (`told`), `always`, or while the file `exists` is there (`file`). The command holds in every case.',
  ) as Choice<'told' | 'always' | 'file'>,
  exists: text('', 'With `when: file`: the file whose being there says so.', 'a file') as Text,
  page: text('', 'A file that is the page, read again when it changes.', 'a file') as Text,
  text: text('', 'A line of text in place of a page.', 'text') as Text,
  status: numberOf(503, [503, 200], 'The status of the page.') as Count,
  'retry-after': duration('5m', 'When visitors are told to come again.') as Duration,
  except: texts(
    [],
    'Networks whose visitors see the site all the same.',
    'a network such as 10.0.0.0/8, or unix',
  ) as Texts,
}

type Long = Mapping<typeof shape>
export type Maintenance = z.ZodOptional<z.ZodUnion<readonly [z.ZodBoolean, Long]>>

function maintenanceType(): Maintenance {
  const long = mapping(shape).register(z.globalRegistry, {
    id: 'maintenance',
    description: 'A page in place of the site while it is worked on.',
  })
  const error = 'true, false, or a mapping with page or text'
  return z.union([z.boolean(), long], { error }).optional().register(z.globalRegistry, {
    title: 'true, false or mapping',
    description:
      'A page in place of the site while it is worked on: `true` now, `{ page: ./page.html }` once `portico maintenance on` is said, `false` never. See [Filters](#filters).',
  })
}

export const maintenance: Maintenance = maintenanceType()
export type MaintenanceSettings = z.output<Long>
export type MaintenanceForm = NonNullable<z.output<Maintenance>>

export function parseMaintenance(input: object): MaintenanceSettings {
  return mapping(shape).parse(input)
}

const ERRORS = 'a mapping of statuses such as 404, 4xx or 5xx to files'

export type Errors = z.ZodOptional<
  z.ZodRecord<z.ZodString, z.ZodUnion<readonly [z.ZodString, z.ZodBoolean]>>
>

function errorsType(): Errors {
  return z
    .record(
      z.string().regex(/^([45][0-9]{2}|[45]xx|intercept)$/, {
        error: 'a status such as 404, or 4xx or 5xx, or intercept',
      }),
      z.union([z.string(), z.boolean()], { error: 'a file' }),
      { error: ERRORS },
    )
    .optional()
    .register(z.globalRegistry, {
      title: 'statuses to files',
      description:
        'Pages of the site’s own for errors: `{ 404: ./404.html, 5xx: ./sorry.html }`; with `intercept: true` in place of error pages of applications and servers behind as well. See [Filters](#filters).',
    })
}

export const errors: Errors = errorsType()
export type ErrorsForm = NonNullable<z.output<Errors>>
