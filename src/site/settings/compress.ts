/** `compress`: answers made smaller for who understands it. */
import { z } from 'zod'
import {
  type Count,
  count,
  type Mapping,
  mapping,
  type Size,
  size,
  type Texts,
  texts,
} from '../setting-types.ts'

/** What text is made of, and what is not compressed by itself already. */
const TYPES: readonly string[] = [
  'text/*',
  'application/json',
  'application/*+json',
  'application/javascript',
  'application/xml',
  'application/*+xml',
  'application/wasm',
  'application/manifest+json',
  'application/x-ndjson',
  'font/ttf',
  'font/otf',
  'image/svg+xml',
  'image/bmp',
  'image/x-icon',
  'image/vnd.microsoft.icon',
]

const shape = {
  codings: texts(
    ['zstd', 'br', 'gzip'],
    'Which of `zstd`, `br` and `gzip`: the first of them that a visitor likes best.',
    'one of zstd, br and gzip',
    /^(zstd|br|gzip)$/,
  ) as Texts,
  types: texts(
    TYPES,
    'Media types that are compressed; `text/*`, `application/*+json`, `*` for all.',
    'a media type such as text/html',
    /^(\*|[\w.+-]+\/[\w.+*-]+)$/,
  ) as Texts,
  min: size('1KB', 'Answers that are known to be smaller stay as they are.', 0, 1024 ** 3) as Size,
  gzip: count(4, 1, 9, 'Level of gzip.') as Count,
  br: count(
    4,
    0,
    11,
    'Level of brotli; beyond 5 it is for files that are compressed once.',
  ) as Count,
  zstd: count(3, 1, 19, 'Level of zstd.') as Count,
  streams: count(
    256,
    1,
    100_000,
    'Answers that are compressed bit by bit at a time, in each server thread: 0.3 to 1.3 MB of memory each. More stay as they are.',
  ) as Count,
}

type Long = Mapping<typeof shape>
export type Compress = z.ZodOptional<
  z.ZodUnion<readonly [z.ZodBoolean, z.ZodString, z.ZodArray<z.ZodString>, Long]>
>

const ERROR = 'true, off, gzip, br, zstd, a list of these, or a mapping'

function compressType(): Compress {
  const long = mapping(shape).register(z.globalRegistry, {
    id: 'compress',
    description:
      'Answers are compressed for visitors who accept it. An application keeps one as it is with `Cache-Control: no-transform` or `Content-Encoding: identity`.',
  })
  return z
    .union([z.boolean(), z.string({ error: ERROR }), z.array(z.string({ error: ERROR })), long], {
      error: ERROR,
    })
    .optional()
    .register(z.globalRegistry, {
      title: 'true, off, names or mapping',
      description:
        'Compress answers for who accepts it: `true`, `off`, `[br, gzip]`, or a mapping. See [Filters](#filters).',
    })
}

export const compress: Compress = compressType()
export type CompressSettings = z.output<Long>
export type CompressForm = NonNullable<z.output<Compress>>

export function parseCompress(input: object): CompressSettings {
  return mapping(shape).parse(input)
}
