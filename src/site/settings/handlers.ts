/** What answers a route: handlers, each kind told by its own key. */
import { z } from 'zod'
import {
  type Choice,
  type Count,
  choice,
  count,
  type Duration,
  durationOrZero,
  type Flag,
  flag,
  type Mapping,
  mapping,
  numberOf,
  type OptionalSize,
  optionalSize,
  type RequiredText,
  requiredText,
  type Text,
  type TextMap,
  type Texts,
  text,
  textMap,
  texts,
} from '../setting-types.ts'
import type { Auth } from './auth.ts'
import type { Compress } from './compress.ts'
import type { Cors } from './cors.ts'
import {
  type Deadline,
  deadline,
  type OptionalDeadline,
  optionalDeadline,
  USUAL_DEADLINE,
} from './deadline.ts'
import { filters, type Limits, type OptionalTexts } from './filters.ts'
import type { Headers, RequestHeaders } from './headers.ts'
import type { Errors, Maintenance } from './maintenance.ts'
import { VARIABLE } from './names.ts'
import { variables } from './pools.ts'
import type { Rewrite } from './rewrite.ts'

const YEAR = 365 * 86_400_000

const common = {
  body: optionalSize(
    'Largest request body here; 0: no limit. Default: `limits.body`.',
  ) as OptionalSize,
  limit: filters.limit as Limits,
  allow: filters.allow as OptionalTexts,
  deny: filters.deny as OptionalTexts,
  'client-certificate': filters['client-certificate'] as Flag,
  auth: filters.auth as Auth,
  headers: filters.headers as Headers,
  'request-headers': filters['request-headers'] as RequestHeaders,
  rewrite: filters.rewrite as Rewrite,
  cors: filters.cors as Cors,
  compress: filters.compress as Compress,
  maintenance: filters.maintenance as Maintenance,
  errors: filters.errors as Errors,
}

type Handler<Shape extends z.ZodRawShape> = Mapping<Shape & typeof common>

function handler<Shape extends z.ZodRawShape>(
  shape: Shape,
  id: string,
  sentence: string,
): Handler<Shape> {
  return mapping({ ...shape, ...common }).register(z.globalRegistry, { id, description: sentence })
}

const files = {
  files: requiredText(
    'The folder to serve, relative to this site file.',
    'a folder',
  ) as RequiredText,
  index: texts(
    ['index.html'],
    'What answers for a folder: the first of these that is there.',
    'a file name',
  ) as Texts,
  cache: durationOrZero(
    '0',
    'How long browsers and caches may keep a file unasked (`Cache-Control: max-age`); 0: no such header, they revalidate.',
    10 * YEAR,
  ) as Duration,
  fallback: text(
    '',
    'A file in the folder that answers for what is not found, for single-page applications.',
    'a file name',
  ) as Text,
  list: flag(false, 'Show a folder without an index as a page.') as Flag,
  precompressed: flag(
    true,
    'Send `page.html.br`, `.zst` or `.gz` in place of `page.html` to who accepts it.',
  ) as Flag,
}

const sendFiles = textMap(
  'Folders whose files the backend may have sent: `{ /protected/: ./files }` lets `X-Accel-Redirect: /protected/a.pdf`, and `X-Sendfile` with a path in that folder, answer with the file. Without it nothing is sent. Visitors never see these fields; a web server before us does.',
  /^\/(.*\/)?$/,
  'a path that begins and ends with /',
) as TextMap

const app = {
  app: requiredText(
    'The name of an application in `apps`.',
    'the name of an application',
  ) as RequiredText,
  'send-files': sendFiles as TextMap,
  deadline: optionalDeadline(
    'How long requests of this route may take, before what the application says: a duration, or `{ soft, hard, queue }`.',
  ) as OptionalDeadline,
  priority: choice(
    'normal',
    ['normal', 'high'],
    '`high`: requests of this route go to the front of the application’s queue, and a full one does not refuse them. For health checks that the application itself shall answer; not for what strangers can send as much of as they like.',
  ) as Choice<'normal' | 'high'>,
}

const cgi = {
  cgi: requiredText(
    'The folder of the programs, or one program that answers for every path below this one.',
    'a folder or a file',
  ) as RequiredText,
  root: text(
    '',
    'What programs are told as DOCUMENT_ROOT, and where PATH_TRANSLATED begins. Default: the folder of the programs.',
    'a folder',
  ) as Text,
  env: textMap(
    'Variables for the program, over those of the request. Nothing of Portico’s own environment reaches it but PATH.',
    VARIABLE,
    'the name of a variable',
  ) as TextMap,
  index: texts(
    [],
    'What answers for a folder: the first of these that is there.',
    'a file name',
  ) as Texts,
  concurrency: count(
    64,
    1,
    100_000,
    'Programs that run at a time, in each server thread; the others wait.',
  ) as Count,
  queue: count(
    1024,
    0,
    1_000_000,
    'Requests that may wait for one to end; the next gets 503.',
  ) as Count,
  deadline: deadline(
    USUAL_DEADLINE,
    'Longest a program may run without a byte of its answer; then it and what it started are killed. 0: no limit. `{ soft, hard, queue }`: at the soft one the request is logged, without a stack, which programs have none of; `queue` is for those that wait for another program to end.',
  ) as Deadline,
}

type Upstreams = z.ZodUnion<readonly [z.ZodString, z.ZodArray<z.ZodString>]>

function upstreams(sentence: string): Upstreams {
  const error = 'the name of a pool, an address, or a list of addresses'
  return z
    .union([z.string(), z.array(z.string({ error }), { error }).min(1, { error })], { error })
    .register(z.globalRegistry, { title: 'pool, address or list', description: sentence })
}

const proxy = {
  proxy: upstreams(
    'The name of a pool in `pools`, an address such as `10.0.0.1:80`, `http://10.0.0.1:80`, `fastcgi://127.0.0.1:9000`, `uwsgi://unix:/run/app.sock` or `unix:/run/app.sock`, or a list of addresses.',
  ) as Upstreams,
  'send-files': sendFiles as TextMap,
}

type Names = z.ZodUnion<readonly [z.ZodString, z.ZodArray<z.ZodString>]>

function applications(sentence: string): Names {
  const error = 'the name of an application, a list of them, all, or live'
  return z
    .union([z.string(), z.array(z.string({ error }), { error }).min(1, { error })], { error })
    .register(z.globalRegistry, {
      title: 'application, list, `all` or `live`',
      description: sentence,
    })
}

const health = {
  health: applications(
    'Whose health is asked for: an application, a list of them, or `all`. The server answers by what it knows, and no queue is in the way: 200 when these applications run, have workers and their queues are not full, else 503 with which and why. `live`: 200 as long as the server itself works.',
  ) as Names,
  leave: flag(
    true,
    'Answer 503 once this site is being stopped, so that load balancers leave: see `timeouts.leave`.',
  ) as Flag,
}

const metrics = {
  metrics: z.literal([true, 'true'], { error: 'true' }).register(z.globalRegistry, {
    title: 'true',
    description:
      'Answer with the metrics of the whole site as OpenMetrics, for Prometheus and its like. They say much about a site: give them a host or a path that only your monitors reach.',
  }) as Always,
}

const redirect = {
  redirect: requiredText(
    'Where to: a path or a URL. `$path`, `$query` and `$host` are the request’s; `$1` … `$9` are the groups of a regular expression.',
    'a path or a URL',
  ) as RequiredText,
  status: numberOf(
    302,
    [301, 302, 303, 307, 308],
    'Permanent are 301 and 308: browsers keep them for good, so the default is the temporary 302. 307 and 308 keep the method.',
  ) as Count,
}

type Always = z.ZodLiteral<true | 'true'>
type Body = z.ZodString

const respond = {
  respond: z
    .string({ error: 'the text to answer with' })
    .register(z.globalRegistry, { title: 'text', description: 'The text to answer with.' }) as Body,
  status: count(200, 200, 599, 'The status of the answer.') as Count,
  type: text(
    'text/plain; charset=utf-8',
    'Its `Content-Type`.',
    'a media type such as text/html',
    /^[^\s/]+\/[^\s/]+.*$/,
  ) as Text,
}

type AnyHandler = z.ZodUnion<
  readonly [
    Handler<typeof files>,
    Handler<typeof app>,
    Handler<typeof proxy & typeof variables>,
    Handler<typeof cgi>,
    Handler<typeof health>,
    Handler<typeof metrics>,
    Handler<typeof redirect>,
    Handler<typeof respond>,
  ]
>

const HANDLER_FORM =
  'a mapping with one of files, app, proxy, cgi, health, metrics, redirect, respond'

function handlers(): AnyHandler {
  return z
    .union(
      [
        handler(files, 'files', 'Serves the files of a folder.'),
        handler(app, 'app', 'Hands requests to an application.'),
        handler({ ...proxy, ...variables }, 'proxy', 'Passes requests on to other servers.'),
        handler(cgi, 'cgi', 'Runs CGI programs (RFC 3875).'),
        handler(health, 'health', 'Answers the health checks of load balancers.'),
        handler(metrics, 'metrics', 'Tells monitors how the site is doing.'),
        handler(redirect, 'redirect', 'Sends visitors elsewhere.'),
        handler(respond, 'respond', 'Answers with a fixed text.'),
      ],
      { error: HANDLER_FORM },
    )
    .register(z.globalRegistry, { id: 'handler' })
}

const anyHandler: AnyHandler = handlers()

export type Routes = z.ZodRecord<z.ZodString, AnyHandler>

export function routeMap(): Routes {
  return z.record(
    z.string().regex(/^[/~]/, {
      error: 'a path that begins with /, or a regular expression that begins with ~',
    }),
    anyHandler,
    { error: 'a mapping of paths to handlers' },
  )
}

export type HandlerSettings = z.output<AnyHandler>
