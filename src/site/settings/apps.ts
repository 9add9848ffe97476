/** `apps`: applications, each kind told by its own key. */
import { z } from 'zod'
import {
  type Choice,
  type Count,
  choice,
  count,
  type Duration,
  duration,
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
import { container } from './container.ts'
import { type Deadline, deadline, USUAL_DEADLINE } from './deadline.ts'
import { isolation } from './isolation.ts'
import {
  type JobWorkersType,
  jobWorkersType,
  type NodeJobWorkersType,
  nodeJobWorkersType,
} from './jobs.ts'
import { lifecycle } from './lifecycle.ts'
import { NODE_TARGET, PYTHON_TARGET, VARIABLE } from './names.ts'

/** What every kind of application has. */
const common = {
  env: textMap(
    'Environment variables for the application, on top of Portico’s own.',
    VARIABLE,
    'the name of a variable',
  ) as TextMap,
  deadline: deadline(
    USUAL_DEADLINE,
    'Longest a request may run before its answer begins. Then the stack is logged where the language tells it, the visitor gets 504 and a worker that is stuck is replaced. 0: no limit. `{ soft, hard, queue }` for more: see below.',
  ) as Deadline,
  'start-timeout': duration('60s', 'Longest the start of the application may take.') as Duration,
  queue: count(
    1024,
    0,
    1_000_000,
    'Requests that may wait for a worker, in each server thread; the next gets 503.',
  ) as Count,
}

/** Of uWSGI's, or of the application's own: what an INI file has before the `=`. */
const OPTION_NAME = /^[^\s=:;#]+$/

const dir = text(
  '.',
  'The folder of the application: its working directory. Relative to this site file.',
  'a folder',
) as Text

const concurrency = count(
  1000,
  1,
  100_000,
  'Requests that one worker may have in hand at a time, where it takes many: `asgi`, `gevent`, `eventlet`, Node.',
) as Count

const python = {
  python: requiredText(
    'The callable as `module:callable`; `module` alone means the callable `application`; `module:factory()`, with literal arguments if need be, what the factory returns. With a / in it, a file in place of the module, whatever its name ends in: `./graphite.wsgi:application`, relative to this site file.',
    'module:callable, such as "shop.wsgi:application"',
    /^((?!.*\.py(:|$))[A-Za-z_]\w*(\.[A-Za-z_]\w*)*|[^:]*\/[^:/]+)(:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(\(.*\))?)?$/,
  ) as RequiredText,
  mode: choice(
    'auto',
    ['auto', 'wsgi', 'asgi', 'gevent', 'eventlet'],
    'How requests are run. `wsgi`: one at a time in each worker, or `threads`; `asgi`: an event loop, many at a time; `gevent`, `eventlet`: WSGI in greenlets, many at a time. `auto`: `asgi` or `wsgi`, as the callable is.',
  ) as Choice<'auto' | 'wsgi' | 'asgi' | 'gevent' | 'eventlet'>,
  compat: choice(
    'none',
    ['none', 'uwsgi'],
    '`uwsgi`: `import uwsgi` and `import uwsgidecorators` work, as far as docs/python.md says; so it is in what is read from a configuration of uWSGI.',
  ) as Choice<'none' | 'uwsgi'>,
  options: textMap(
    'With `compat: uwsgi`: what `uwsgi.opt` holds beside what this file says itself.',
    OPTION_NAME,
    'the name of an option',
  ) as TextMap,
  dir: text(
    '.',
    'The folder of the application: first on `sys.path`, and its working directory. Relative to this site file.',
    'a folder',
  ) as Text,
  interpreter: text(
    '',
    'The Python to run: a path, or a name to look up in PATH. Default: the virtual environment’s, else `python3`.',
    'a path or a name such as python3.12',
  ) as Text,
  venv: text(
    '',
    'The folder of a virtual environment. Default: `.venv` or `venv` in `dir`, where there is one.',
    'a folder',
  ) as Text,
  threads: count(
    1,
    1,
    1024,
    'Requests that one worker runs at a time, each in a thread; for `wsgi`.',
  ) as Count,
  concurrency: concurrency as Count,
  lazy: flag(
    false,
    'Each worker imports the application by itself, after the fork: for libraries that start threads or open connections while they are imported. Costs memory and the time of an import for each worker.',
  ) as Flag,
  lifespan: choice(
    'auto',
    ['auto', 'on', 'off'],
    'ASGI’s lifespan events. `on`: an application that fails them does not start; `auto`: one that does not know them does without.',
  ) as Choice<'auto' | 'on' | 'off'>,
  jobs: jobWorkersType() as JobWorkersType,
  hooks: text(
    '',
    'A Gunicorn configuration file whose server hooks are run, such as `post_fork` and `pre_request`: see docs/dropin.md. Its other settings count only for `portico gunicorn`.',
    'a file',
  ) as Text,
  mules: texts(
    [],
    'Programs in the application’s code that are kept alive beside its workers: functions without arguments, as `module:function`. Each has a process of its own, forked from the warm parent; one that comes twice has two.',
    'module:function, such as "shop.tasks:main"',
    PYTHON_TARGET,
  ) as Texts,
}

const php = {
  php: requiredText(
    'The folder of the PHP application, its document root.',
    'a folder',
  ) as RequiredText,
  front: text(
    'index.php',
    'The script that answers for paths that are no file (front controller); "" for none, then they are 404.',
    'the name of a file',
  ) as Text,
  index: texts(
    ['index.php', 'index.html'],
    'What answers for a folder: the first of these that is there.',
    'a file name',
  ) as Texts,
  interpreter: text(
    '',
    'The php-fpm or php-cgi to run: a path, or a name to look up in PATH. Default: the newest php-fpm of the machine, else php-cgi.',
    'a path or a name such as php-fpm8.2',
  ) as Text,
  ini: textMap(
    'Settings of php.ini for this application, such as `memory_limit: 256M`.',
    /^[A-Za-z_][A-Za-z0-9_.]*$/,
    'the name of a setting of php.ini',
  ) as TextMap,
  'no-scripts': texts(
    ['wp-content/uploads/', 'sites/default/files/', 'uploads/'],
    'Folders in which no PHP is run, relative to the document root: what visitors upload must never be a program.',
    'a folder',
  ) as Texts,
}

const node = {
  node: requiredText(
    'The module: `export default { fetch }` or a function, an Express-like `(req, res)` handler, or a program that listens on PORT. JavaScript or TypeScript.',
    'a file such as ./api.ts',
  ) as RequiredText,
  mode: choice(
    'auto',
    ['auto', 'fetch', 'listener', 'server'],
    'What the module is. `fetch`: a Request → Response handler; `listener`: a `(req, res)` function such as an Express application; `server`: it calls `listen` itself. `auto`: as it turns out.',
  ) as Choice<'auto' | 'fetch' | 'listener' | 'server'>,
  run: choice(
    'processes',
    ['processes', 'threads'],
    'Where its code runs. `processes`: workers of their own, supervised and replaced; `threads`: inside Portico’s server threads, for a `fetch` handler that must be as fast as can be: what blocks there blocks the site.',
  ) as Choice<'processes' | 'threads'>,
  dir: text(
    '',
    'The working directory. Default: the folder of the module. Relative to this site file.',
    'a folder',
  ) as Text,
  interpreter: text(
    '',
    'The Node to run. Default: the one that runs Portico.',
    'a path or a name such as node',
  ) as Text,
  concurrency: concurrency as Count,
  jobs: nodeJobWorkersType() as NodeJobWorkersType,
  mules: texts(
    [],
    'Programs in the application’s code that are kept alive beside its workers: functions, as `./file.ts:function`. Each has a process of its own; one that comes twice has two. Relative to this site file.',
    './file:function, such as "./feed.ts:main"',
    NODE_TARGET,
  ) as Texts,
}

const psgi = {
  psgi: requiredText(
    'The PSGI file of a Perl application.',
    'a file such as app.psgi',
  ) as RequiredText,
  interpreter: text('', 'The Perl to run. Default: `perl`.', 'a path or a name') as Text,
  dir: dir as Text,
}

const rack = {
  rack: requiredText(
    'The Rack file of a Ruby application.',
    'a file such as config.ru',
  ) as RequiredText,
  interpreter: text('', 'The Ruby to run. Default: `ruby`.', 'a path or a name') as Text,
  dir: dir as Text,
}

type App<Shape extends z.ZodRawShape> = Mapping<
  Shape & typeof lifecycle & typeof common & typeof isolation
>

export type AppType = z.ZodUnion<
  readonly [
    App<typeof python>,
    App<typeof php>,
    App<typeof node>,
    App<typeof psgi>,
    App<typeof rack>,
    App<typeof container>,
  ]
>

function kind<Shape extends z.ZodRawShape>(shape: Shape, id: string, sentence: string): App<Shape> {
  return mapping({ ...shape, ...lifecycle, ...common, ...isolation }).register(z.globalRegistry, {
    id,
    description: sentence,
  })
}

export function appType(): AppType {
  return z
    .union(
      [
        kind(python, 'python', 'A Python application, over WSGI or ASGI.'),
        kind(php, 'php', 'A PHP application, run by php-fpm or php-cgi, which Portico supervises.'),
        kind(node, 'node', 'A Node application: a fetch handler, a request listener or a server.'),
        kind(psgi, 'psgi', 'A Perl application over PSGI.'),
        kind(rack, 'rack', 'A Ruby application over Rack.'),
        kind(container, 'container', 'An application in a container of podman or docker.'),
      ],
      { error: 'a mapping with one of python, php, node, psgi, rack, container' },
    )
    .register(z.globalRegistry, { id: 'application' })
}

export type AppSettings = z.output<AppType>
export type PythonSettings = z.output<App<typeof python>>
export type PhpSettings = z.output<App<typeof php>>
export type NodeSettings = z.output<App<typeof node>>
export type PsgiSettings = z.output<App<typeof psgi>>
export type ContainerSettings = z.output<App<typeof container>>
export type RackSettings = z.output<App<typeof rack>>
