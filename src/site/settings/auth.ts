/** `auth`: who may come in, by a password, by somebody else’s word, or by a signed token. */
import { z } from 'zod'
import {
  type Choice,
  choice,
  type Duration,
  duration,
  durationOrZero,
  type Flag,
  flag,
  type Mapping,
  mapping,
  type RequiredText,
  requiredText,
  type Text,
  type TextMap,
  type Texts,
  text,
  textMap,
  texts,
} from '../setting-types.ts'
import { FIELD_NAME } from './names.ts'

type Users = Mapping<{ users: z.ZodRecord<z.ZodString, z.ZodString> }>

const users: Users = mapping({
  users: z
    .record(z.string(), z.string({ error: 'a hash, as `htpasswd -nB` prints it' }), {
      error: 'a mapping of names to hashes',
    })
    .register(z.globalRegistry, { title: 'names to hashes', description: 'Hashes by name.' }),
})

type Basic = z.ZodUnion<readonly [z.ZodString, Users]>

const satisfy = choice(
  'all',
  ['all', 'any'],
  'With `allow` or `deny` beside it: `any` asks only those for a password, token or verdict whom they do not let in.',
) as Choice<'all' | 'any'>

const realm = text('restricted', 'What browsers call it.', 'text') as Text

const basic = {
  basic: z
    .union([z.string(), users], {
      error: 'the name of a file, or { users: { NAME: HASH } }',
    })
    .register(z.globalRegistry, {
      title: 'file or users',
      description:
        'A file as `htpasswd -B` writes it, read again when it changes; or `{ users: { NAME: HASH } }`. Hashes are of bcrypt, apr1 or SHA-1; passwords in plain text are refused.',
    }) as Basic,
  realm: realm as Text,
  pass: flag(
    false,
    'Pass the `Authorization` field on to who answers. False: the password ends here.',
  ) as Flag,
  satisfy: satisfy as Choice<'all' | 'any'>,
}

const FIELD = 'the name of a header field'

const forward = {
  forward: requiredText(
    'Who is asked for each request: a URL such as `http://127.0.0.1:9091/verify`, the name of a pool, or an address.',
    'a URL, the name of a pool, or an address',
  ) as RequiredText,
  path: text(
    '',
    'The path that is asked for there; variables have nginx’s names. Default: that of the URL, else `/`.',
    'a path such as /verify',
    /^(\/.*)?$/,
  ) as Text,
  send: texts(
    [],
    'Which of the visitor’s header fields are sent. Default: all but those of its body.',
    FIELD,
    FIELD_NAME,
  ) as Texts,
  copy: texts(
    [],
    'Which fields of a good answer the request gets, such as `Remote-User`. A visitor’s own fields of these names are always taken out.',
    FIELD,
    FIELD_NAME,
  ) as Texts,
  user: text(
    '',
    'The field of a good answer that names who it is, for REMOTE_USER.',
    FIELD,
    /^[!#$%&'*+.^_`|~0-9A-Za-z-]*$/,
  ) as Text,
  answer: texts(
    [],
    'Which fields of a good answer the visitor gets, such as `Set-Cookie`.',
    FIELD,
    FIELD_NAME,
  ) as Texts,
  timeout: duration('5s', 'Longest wait for an answer; then the request gets 503.') as Duration,
  satisfy: satisfy as Choice<'all' | 'any'>,
}

const keys = {
  keys: text(
    '',
    'Public keys: a JSON Web Key Set or a PEM file, or the https URL of a key set.',
    'a file or a URL',
  ) as Text,
  secret: text('', 'A file that holds the secret of HS256, HS384 or HS512.', 'a file') as Text,
}

const ALGORITHMS =
  /^(RS256|RS384|RS512|PS256|PS384|PS512|ES256|ES384|ES512|EdDSA|HS256|HS384|HS512)$/

const jwt = {
  jwt: z
    .union([z.string(), mapping(keys)], { error: 'a file or URL of keys, or { secret: FILE }' })
    .register(z.globalRegistry, {
      title: 'keys or mapping',
      description:
        'Whose signatures count: a JSON Web Key Set or PEM file, or the https URL of a key set; `{ secret: ./file }` for HS256 and the like. Files are read again when they change.',
    }) as Keys,
  algorithms: texts(
    [],
    'Which algorithms count, such as `RS256`. Default: those that fit the keys.',
    'one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, HS256, HS384, HS512',
    ALGORITHMS,
  ) as Texts,
  issuer: texts([], 'Whose tokens count: one of these has to be `iss`.', 'text') as Texts,
  audience: texts([], 'Whom tokens are for: one of these has to be in `aud`.', 'text') as Texts,
  require: textMap(
    'Claims that tokens must have: `{ scope: admin }`. A list or the words of a text have to hold the value; `"*"` is any. Otherwise the request gets 403.',
    /./,
    'the name of a claim',
  ) as TextMap,
  expires: flag(true, 'Tokens without `exp` are refused.') as Flag,
  leeway: durationOrZero('30s', 'How far clocks may differ.') as Duration,
  from: texts(
    ['header'],
    'Where the token is: `header` (`Authorization: Bearer`), `header:NAME`, `cookie:NAME` or `query:NAME`; the first that has one.',
    'header, header:NAME, cookie:NAME or query:NAME',
    /^(header|(header|cookie|query):[!#$%&'*+.^_`|~0-9A-Za-z-]+)$/,
  ) as Texts,
  claims: textMap(
    'Claims that the request gets as fields: `{ email: X-Email }`. A visitor’s own fields of these names are always taken out.',
    /./,
    'the name of a claim',
  ) as TextMap,
  user: text(
    'sub',
    'The claim that names who it is, for REMOTE_USER; "": none.',
    'a claim',
  ) as Text,
  pass: flag(true, 'Pass the token on to who answers.') as Flag,
  refresh: duration('10m', 'How often keys behind a URL are fetched anew.') as Duration,
  realm: realm as Text,
  satisfy: satisfy as Choice<'all' | 'any'>,
}

type Keys = z.ZodUnion<readonly [z.ZodString, Mapping<typeof keys>]>
type AnyAuth = z.ZodUnion<
  readonly [Mapping<typeof basic>, Mapping<typeof forward>, Mapping<typeof jwt>]
>
export type Auth = z.ZodOptional<AnyAuth>

const about = (id: string, description: string): { id: string; description: string } => ({
  id,
  description,
})

function authType(): Auth {
  const error = 'a mapping with basic, forward or jwt'
  return z
    .union(
      [
        mapping(basic).register(
          z.globalRegistry,
          about(
            'auth',
            'Ask visitors for a name and a password. Applications know the name as REMOTE_USER.',
          ),
        ),
        mapping(forward).register(
          z.globalRegistry,
          about('auth-forward', 'Ask another server about each request: 2xx lets it in.'),
        ),
        mapping(jwt).register(
          z.globalRegistry,
          about('auth-jwt', 'Ask for a JSON Web Token (RFC 7519) and verify it here.'),
        ),
      ],
      { error },
    )
    .optional()
    .register(z.globalRegistry, {
      title: 'mapping',
      description:
        'Ask visitors who they are: `{ basic: ./htpasswd }`, `{ forward: URL }` or `{ jwt: ./jwks.json }`. See [Filters](#filters).',
    })
}

export const auth: Auth = authType()
export type AuthSettings = NonNullable<z.output<Auth>>
export type BasicSettings = z.output<Mapping<typeof basic>>
export type ForwardSettings = z.output<Mapping<typeof forward>>
export type JwtSettings = z.output<Mapping<typeof jwt>>
