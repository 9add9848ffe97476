/** The reference of the site file, for people and for editors, derived from the schema. */
import { z } from 'zod'
import { siteSchema } from './settings.ts'

/** The part of JSON Schema that the settings use. */
interface Form {
  readonly title?: string
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly properties?: Readonly<Record<string, Form>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Form | boolean
  readonly items?: Form
  readonly anyOf?: readonly Form[]
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, Form>>
}

/** JSON Schema (draft 2020-12) of a site file as it is written. */
export function jsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(siteSchema(), { io: 'input' })
  return { $schema, title: 'Portico site file', ...rest }
}

/** docs/site-file.md. */
export function markdown(): string {
  const whole = z.toJSONSchema(siteSchema(), { io: 'input' }) as Form
  const definitions = whole.$defs ?? {}
  const settings = whole.properties ?? {}
  const handlers = (definitions.handler?.anyOf ?? []).map((each) => nameOf(each))
  const apps = (definitions.application?.anyOf ?? []).map((each) => nameOf(each))
  const chapters = [
    BEGINNING,
    '## Keys of a site file\n',
    table(whole),
    '## Where visitors connect: `listen`\n',
    `${LISTEN}\n`,
    table(mappingIn(settings.listen) ?? {}),
    ...tlsChapters(settings.tls),
    '## What answers: handlers\n',
    `A path has exactly one of ${handlers.map((name) => `\`${name}\``).join(', ')}.\n`,
    ...handlers.flatMap((name) => chapter(`\`${name}\``, definitions[name])),
    '## Filters\n',
    FILTERS,
    ...chapter('`limit`', definitions.limit),
    ...chapter('`auth` by password: `basic`', definitions.auth),
    ...chapter('`auth` by another server: `forward`', definitions['auth-forward']),
    ...chapter('`auth` by token: `jwt`', definitions['auth-jwt']),
    ...chapter('`headers`', definitions.headers),
    ...chapter('`request-headers`', definitions['request-headers']),
    ...chapter('`rewrite`', definitions.rewrite),
    'A rule has these:\n',
    table(definitions['rewrite-rule'] ?? {}),
    ...chapter('`cors`', definitions.cors),
    ...chapter('`compress`', definitions.compress),
    ...chapter('`maintenance`', definitions.maintenance),
    '### For all routes: `filters`\n',
    FILTERS_OF_ALL,
    '## Applications: `apps`\n',
    `An application has exactly one of ${apps.map((name) => `\`${name}\``).join(', ')}.\n`,
    ...apps.flatMap((name) => chapter(`\`${name}\``, definitions[name])),
    '### `deadline`\n',
    DEADLINE,
    table(mappingIn(definitions.python?.properties?.deadline) ?? {}),
    '### `workers`\n',
    WORKERS,
    table(mappingIn(definitions.python?.properties?.workers) ?? {}),
    '`busyness` has these:\n',
    table(mappingIn(definitions.python?.properties?.workers)?.properties?.busyness ?? {}),
    ...['recycle', 'reload'].flatMap((key) => [
      `### \`${key}\`\n`,
      `${definitions.python?.properties?.[key]?.description}\n`,
      table(definitions.python?.properties?.[key] ?? {}),
    ]),
    ...['cron', 'timers', 'watch'].flatMap((key) => [
      `## \`${key}\`\n`,
      `${settings[key]?.description}\n`,
      table(mappingIn(settings[key]) ?? {}),
    ]),
    '## Daemons: `daemons`\n',
    `${definitions.daemon?.description}\n`,
    table(definitions.daemon ?? {}),
    '## Pools: `pools`\n',
    `${definitions.pool?.description}\n`,
    table(definitions.pool ?? {}),
    'A server that is a mapping has these:\n',
    table(mappingIn(definitions.pool?.properties?.servers) ?? {}),
    'A `schedule` that is a mapping has these:\n',
    table(mappingIn(definitions.pool?.properties?.schedule) ?? {}),
    ...['retry', 'passive', 'breaker', 'queue', 'hedge', 'sorry'].flatMap((key) => [
      `### \`${key}\` of a pool\n`,
      `${definitions.pool?.properties?.[key]?.description}\n`,
      table(definitions.pool?.properties?.[key] ?? {}),
    ]),
    ...['limits', 'http2', 'timeouts', 'log', 'trace', 'stats', 'cache'].flatMap((key) => [
      `## \`${key}\`\n`,
      `${settings[key]?.description}\n`,
      table(mappingIn(settings[key]) ?? {}),
    ]),
    '## `jobs`\n',
    `${settings.jobs?.description}\n`,
    table(mappingIn(settings.jobs) ?? {}),
    ...chapter('`jobs.queues`', definitions['job-queue']),
    ...chapter('`apps.NAME.jobs`', definitions['node-job-workers']),
    ENDING,
  ]
  return chapters.join('\n')
}

/** TLS towards visitors, with its parts. */
function tlsChapters(tls: Form | undefined): string[] {
  const all = tls?.properties ?? {}
  const acme = all.acme?.properties ?? {}
  const account = acme['external-account']?.additionalProperties
  return [
    '## TLS: `tls`\n',
    `${tls?.description} Certificates that come by themselves: [certificates.md](certificates.md).\n`,
    table(tls ?? {}),
    'A certificate that is a mapping has these:\n',
    table(mappingIn(all.certificates) ?? {}),
    ...['client-certificates', 'tickets', 'hsts', 'acme'].flatMap((key) => [
      `### \`tls.${key}\`\n`,
      `${all[key]?.description}\n`,
      table(mappingIn(all[key]) ?? {}),
    ]),
    ...chapter('`tls.acme.on-demand`', acme['on-demand']),
    'Each of `external-account` has these:\n',
    table(typeof account === 'object' ? account : {}),
  ]
}

function nameOf(form: Form): string {
  return form.$ref?.split('/').at(-1) ?? ''
}

function chapter(title: string, form: Form | undefined): string[] {
  return form === undefined ? [] : [`### ${title}\n`, `${form.description}\n`, table(form)]
}

/** The mapping among the forms that a setting may have. */
function mappingIn(form: Form | undefined): Form | undefined {
  if (form === undefined || form.properties !== undefined) return form
  const inside = [...(form.anyOf ?? []), ...(form.items === undefined ? [] : [form.items])]
  return inside.map((each) => mappingIn(each)).find((each) => each?.properties !== undefined)
}

function table(form: Form): string {
  const rows = Object.entries(form.properties ?? {}).map(([key, setting]) => {
    const preset = form.required?.includes(key) ? '**required**' : showDefault(setting.default)
    const cells = [`\`${key}\``, typeOf(setting), preset, setting.description ?? '']
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  })
  return ['| key | value | default | |', '|---|---|---|---|', ...rows, ''].join('\n')
}

function typeOf(form: Form): string {
  if (form.title === 'one of') return (form.enum ?? []).map((value) => `\`${value}\``).join(', ')
  if (form.title === 'number' && form.enum !== undefined) {
    return form.enum.filter((value) => typeof value === 'number').join(', ')
  }
  return form.title ?? (form.type === 'array' ? 'list' : 'mapping')
}

function showDefault(preset: unknown): string {
  if (preset === undefined || preset === '') return ''
  if (Array.isArray(preset)) return preset.map((each) => `\`${each}\``).join(', ')
  return typeof preset === 'object' ? '' : `\`${preset}\``
}

const FILTERS = `Every route may have these, whatever answers it. [filters.md](filters.md) has examples, and the names that
other servers have for them.
`

const FILTERS_OF_ALL = `\`headers\`, \`request-headers\`, \`cors\`, \`compress\`, \`maintenance\` and \`errors\` may also stand in \`filters\`, at the top
level of the site file: they hold for every route that does not have the key itself. \`compress: off\` and
\`maintenance: false\` are how a route does without. \`hosts\` there says the same of single hosts.

\`\`\`yaml
filters:
  compress: true
  headers: { Strict-Transport-Security: max-age=31536000 }
  hosts:
    shop.example.com: { maintenance: { page: ./down.html } }
\`\`\`
`

const BEGINNING = `# The site file

A site is one YAML file, \`site.yaml\`; \`portico check\` says what is wrong with it, with line and column.

\`\`\`yaml
listen: ":8080"
hosts:
  www.example.com:
    /static/: { files: ./public, cache: 1h }
    /api/:    { proxy: backend }
    /old:     { redirect: /new, status: 301 }
    /ping:    { respond: pong }
    /:        { app: shop }
apps:
  shop: { python: "shop.wsgi:application", dir: ./shop, workers: auto }
pools:
  backend: { servers: ["10.0.0.1:80", { to: "10.0.0.2:80", weight: 3 }] }
\`\`\`

- **Paths** of files and folders are relative to the file that they are written in.
- **Durations** carry a unit: \`500ms\`, \`30s\`, \`5m\`, \`1h30m\`, \`2d\`. **Sizes** do, too: \`512B\`, \`16KB\`, \`10MB\`,
  \`1GB\`; as in nginx, \`1KB\` (or \`1K\`, \`1KiB\`) is 1024 bytes. Only \`0\` needs none.
- **Variables**: \`\${NAME}\` is a variable of the environment and an error where it is not set;
  \`\${NAME:-default}\` has a default for when it is unset or empty; \`$$\` is a plain \`$\`.
- **Includes**: \`include: sites/*.yaml\` reads more files. Hosts, applications and pools add up, and a name
  that comes twice is an error; of other settings, the including file's win. Listeners add up.
- **Anchors** and \`<<:\` work as in any YAML.
- **A program** can be the site file: \`site.ts\` with
  \`import { site } from 'portico'\` and \`export default site({ routes: { '/': { files: './public' } } })\`.
- **Editors** complete and check keys with [site.schema.json](site.schema.json); for the YAML language server,
  let the first line be \`# yaml-language-server: $schema=<path to>/site.schema.json\`.
- **Without a site file**, \`portico serve\` takes a folder and sees what it holds (a Django project with
  \`manage.py\`; \`wsgi.py\`, \`asgi.py\`, \`app.py\` or \`main.py\` with \`application\` or \`app\` in it; \`index.php\`;
  \`package.json\`; \`app.psgi\`; \`config.ru\`; \`cgi-bin/\`; else the files of the folder), or \`module:callable\`.

Beside this page: [background.md](background.md) (crons, timers, file watches, mules, daemons), [jobs.md](jobs.md),
[python.md](python.md) (cache, locks, counters, metrics and log context for applications), [metrics.md](metrics.md),
[fetch.md](fetch.md) (Node) and [dropin.md](dropin.md) (coming from uWSGI and Gunicorn).

This page and the schema are made by \`portico docs --write docs\`.
`

const LISTEN = `An address is \`:8080\` (every interface, IPv4 and IPv6), \`127.0.0.1:8080\`, \`[::1]:8080\`, \`localhost:8080\` or
\`unix:/run/site.sock\`, with or without \`http://\` before it. Port 0 lets the kernel choose. Behind a web
server that is already there: \`uwsgi://127.0.0.1:3031\` or \`uwsgi://unix:/run/site.sock\` for nginx's
\`uwsgi_pass\` and Apache's mod_proxy_uwsgi, \`fastcgi://\` for \`fastcgi_pass\` and mod_proxy_fcgi, \`scgi://\`
for \`scgi_pass\` and mod_proxy_scgi; \`puwsgi://\` is uwsgi over connections that are kept alive. What that
server says of the visitor (REMOTE_ADDR, HTTPS) is believed, so nobody else should reach such a socket.`

const WORKERS = `A number, or \`auto\`, is how many there always are. A mapping lets the number follow the load; the
knobs have uWSGI’s names without \`cheaper-\`. PHP knows \`min\`, \`max\`, \`spare\` and \`idle\` of these, and
\`requests\` of \`recycle\`.

\`\`\`yaml
apps:
  shop: { python: shop.wsgi, workers: { min: 2, max: 16, by: delay, delay: 50ms } }
  tool: { python: tool.wsgi, workers: { min: 0, max: 2, idle: 10m } }   # runs only while it is used
\`\`\`
`

const DEADLINE = `A duration is the hard deadline, and how long a request may wait for a worker. A mapping has these; a
route's own goes before the application's, key by key.
`

const ENDING = `## What a problem looks like

\`\`\`
site.yaml:12:5: hosts."www.example.com"."/api/".proxi: unknown key "proxi"; did you mean "proxy"?
\`\`\`

All problems are said at once, in the order of the file. \`portico check --json\` has each as \`file\`, \`line\`,
\`column\`, \`path\`, \`message\`, \`expected\` and \`nearest\`.
`
