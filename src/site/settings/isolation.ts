/** What an application may do and see: its user, its part of the file system, its limits, its secrets. */
import { z } from 'zod'
import {
  type Choice,
  choice,
  type Flag,
  flag,
  mapping,
  type Section,
  section,
  type Text,
  type Texts,
  text,
  texts,
} from '../setting-types.ts'
import { parseSize, SIZE_PATTERN } from '../units.ts'

type OptionalNumber = z.ZodOptional<z.ZodType<number, string | number>>

function optional(
  title: string,
  expected: string,
  sentence: string,
  read: (text: string) => number,
  pattern: string,
): OptionalNumber {
  return z
    .union([z.string(), z.number()], { error: expected })
    .transform((input, context): number => {
      const value = read(String(input))
      if (!Number.isNaN(value)) return value
      context.issues.push({ code: 'custom', message: expected, input })
      return z.NEVER
    })
    .register(z.globalRegistry, { title, pattern })
    .optional()
    .register(z.globalRegistry, { description: sentence })
}

function optionalCount(from: number, to: number, sentence: string): OptionalNumber {
  const read = (text: string): number => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
    return value >= from && value <= to ? value : Number.NaN
  }
  const expected = `a whole number from ${from} to ${to}`
  return optional('number', expected, sentence, read, '^\\d+$|\\$\\{.*\\}')
}

/** `1.5` cores, or `150%` of one. */
function cores(sentence: string): OptionalNumber {
  const read = (text: string): number => {
    const [, number = '', percent] = /^(\d{1,4}(?:\.\d{1,3})?)(%?)$/.exec(text) ?? []
    const value = Number(number || Number.NaN) / (percent === '%' ? 100 : 1)
    return value >= 0.01 && value <= 4096 ? value : Number.NaN
  }
  const expected = 'a number of cores such as 1.5, or 150%'
  return optional('number or percent', expected, sentence, read, '^\\d+(\\.\\d+)?%?$|\\$\\{.*\\}')
}

function memory(sentence: string, smallest: number): OptionalNumber {
  const read = (text: string): number => {
    const bytes = parseSize(text) ?? Number.NaN
    return bytes >= smallest ? bytes : Number.NaN
  }
  const expected = 'a size with its unit, such as 512MB or 2GB'
  return optional('size', expected, sentence, read, `${SIZE_PATTERN}|\\$\\{.*\\}`)
}

const limits = {
  memory: memory('Memory of all its processes together.', 4 * 1024 ** 2) as OptionalNumber,
  cpu: cores('Processor time of all its processes together, in cores.') as OptionalNumber,
  pids: optionalCount(1, 4_000_000, 'Processes and threads.') as OptionalNumber,
  files: optionalCount(16, 1_000_000_000, 'Open files of each process.') as OptionalNumber,
  core: memory('Largest core dump of each process; 0: none.', 0) as OptionalNumber,
  strict: flag(false, 'Do not start where a limit cannot be enforced.') as Flag,
}

const secret = {
  file: text('', 'The file that holds the value.', 'a file') as Text,
  credential: text('', 'The name of a credential of systemd (LoadCredential=).', 'a name') as Text,
  as: choice('env', ['env', 'file'], 'How the application gets it.') as Choice<'env' | 'file'>,
}

type Secret = z.ZodUnion<readonly [z.ZodString, z.ZodObject<typeof secret, z.core.$strict>]>
type Secrets = z.ZodPrefault<z.ZodRecord<z.ZodString, Secret>>

/** A variable that programs of every language can read. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

function secrets(sentence: string): Secrets {
  const error = 'a file, `credential:name`, or a mapping with file or credential'
  const one: Secret = z.union([z.string({ error }), mapping(secret)], { error })
  return z
    .record(z.string().regex(NAME, { error: 'the name of a variable' }), one, {
      error: 'a mapping of names to files',
    })
    .register(z.globalRegistry, { title: 'names to files' })
    .prefault({})
    .register(z.globalRegistry, { description: sentence })
}

type ReadOnly = z.ZodPrefault<z.ZodType<boolean | string[], boolean | string | string[]>>

function readOnly(sentence: string): ReadOnly {
  const error = 'true, a path, or a list of paths'
  return z
    .union([z.boolean(), z.string(), z.array(z.string().min(1, { error }))], { error })
    .transform((input): boolean | string[] => {
      if (typeof input === 'boolean') return input
      if (typeof input !== 'string') return input
      return input === 'true' || input === 'false' ? input === 'true' : [input]
    })
    .register(z.globalRegistry, { title: 'true or paths' })
    .prefault(false)
    .register(z.globalRegistry, { description: sentence })
}

export const isolation = {
  user: text(
    '',
    'Run the application as this user, which has to be started as root for. Default: the site’s `user`. Neither other applications nor other users reach its sockets then.',
    'the name of a user',
  ) as Text,
  group: text('', 'Its group. Default: the user’s own.', 'the name of a group') as Text,
  chroot: text(
    '',
    'A folder that is all it sees of the file system. What it needs has to be there: interpreter, libraries, packages. `dir` and other paths are written as seen from outside. For Python, Node, PSGI and Rack.',
    'a folder',
  ) as Text,
  'read-only': readOnly(
    'Paths that it cannot change; `true`: all of the file system, but for `writable` and a private /tmp. Needs bubblewrap.',
  ) as ReadOnly,
  writable: texts([], 'With `read-only`: what it can change all the same.', 'a path') as Texts,
  'private-tmp': flag(
    false,
    'An empty /tmp and /var/tmp of its own, in memory. Needs bubblewrap; implied by `read-only: true`.',
  ) as Flag,
  network: choice(
    'host',
    ['host', 'none'],
    '`none`: no network but the sockets of files, such as a database’s /run/postgresql. Needs bubblewrap.',
  ) as Choice<'host' | 'none'>,
  sandbox: choice(
    'auto',
    ['auto', 'bubblewrap', 'none'],
    'What makes the walls: `bubblewrap` (Debian: `apt install bubblewrap`). `auto`: bubblewrap where a setting needs it; for `chroot` alone, root does without. `none`: settings that need it are errors.',
  ) as Choice<'auto' | 'bubblewrap' | 'none'>,
  'no-new-privileges': choice(
    'auto',
    ['auto', 'on', 'off'],
    'Whether programs such as sudo, or a sendmail that is set-uid, give it rights that it does not have. `on`: never; `auto`: `on` for an application with a user or walls of its own.',
  ) as Choice<'auto' | 'on' | 'off'>,
  limits: section(
    limits,
    'Bounds: `memory` (512MB), `cpu` (cores: 1.5), `pids` of the application as a whole, by cgroups; `files`, `core` (size of core dumps) of each process. Without cgroups, memory is bounded for each process and `pids` for its user. What cannot be enforced is told at the start, and an error with `strict: true`.',
  ) as Section<typeof limits>,
  'env-file': texts(
    [],
    'Files of environment variables, one `NAME=value` a line; `env` goes before them, and later files before earlier ones. A line that begins with # or ; is a comment; values are taken as they are, without `$` or `\\`; in "double quotes" (where \\", \\\\, \\$, \\` and a backslash at the end of the line are escapes) or \'single quotes\' they keep spaces and line breaks.',
    'a file',
  ) as Texts,
  secrets: secrets(
    'Secrets by name: a file, or `credential:name` for one of systemd’s (LoadCredential=), read at each start before rights are given up. The application gets the value as the variable of that name; with `{ file: …, as: file }` the path of a private copy in `NAME_FILE`. Shown nowhere.',
  ) as Secrets,
}
