/** Gunicorn's settings → a site. */
import { showDuration } from '../../site/units.ts'
import type { Value } from '../tree-builder.ts'
import { APP, type GunicornDraft, truth } from './draft.ts'
import { HOOKS } from './hooks.ts'
import type { Given } from './setting.ts'

/** What a worker class is here; the rest of a dotted name is its package. */
const CLASSES: Readonly<Record<string, string>> = {
  sync: 'wsgi',
  SyncWorker: 'wsgi',
  gthread: 'wsgi',
  ThreadWorker: 'wsgi',
  gevent: 'gevent',
  gevent_wsgi: 'gevent',
  gevent_pywsgi: 'gevent',
  GeventWorker: 'gevent',
  eventlet: 'eventlet',
  EventletWorker: 'eventlet',
  UvicornWorker: 'asgi',
  UvicornH11Worker: 'asgi',
}
const KNOWN = 'sync, gthread, gevent, eventlet or uvicorn.workers.UvicornWorker'
/** Gunicorn’s own. */
const TIMEOUT = 30
const GRACEFUL_TIMEOUT = 30

export function composeSite(draft: GunicornDraft, target: Given, config: string): void {
  listeners(draft, target)
  draft.set(['routes', '/'], { app: APP }, target)
  application(draft, target)
  hooks(draft, config)
  proxies(draft, target)
  logs(draft, target)
  const grace = draft.get('graceful_timeout')
  const seconds = grace === undefined ? GRACEFUL_TIMEOUT : draft.seconds(grace)
  draft.set(['timeouts', 'stop'], showDuration(Math.round(seconds * 1000)), grace ?? target)
  draft.set(['signals'], 'gunicorn', target)
}

function listeners(draft: GunicornDraft, target: Given): void {
  const bind = draft.get('bind')
  const port = draft.environment.PORT
  const preset = port === undefined ? '127.0.0.1:8000' : `0.0.0.0:${port}`
  const addresses = (bind === undefined ? [preset] : draft.texts(bind)).flatMap((each) =>
    each.split(','),
  )
  const place = bind ?? target
  for (const address of addresses) {
    const on = addressOf(draft, place, address.trim())
    if (on === undefined) continue
    const more: Record<string, Value> = {}
    const backlog = draft.count('backlog', 0)
    if (backlog > 0) more.backlog = Math.min(backlog, 65_535)
    const umask = draft.text('umask')
    if (on.startsWith('unix:/') && umask !== '') {
      // Python writes it as a number, people as octal text.
      const isText = typeof draft.get('umask')?.value === 'string'
      const bits = isText ? Number.parseInt(umask.replace(/^0o?/, '') || '0', 8) : Number(umask)
      more.mode = (0o777 & ~bits).toString(8).padStart(3, '0')
    }
    if (draft.isOn('proxy_protocol')) more['proxy-protocol'] = true
    const tls = tlsOf(draft)
    const all = { on: tls === null ? on : `https://${on}`, ...more, ...tls }
    draft.tree.add(['listen'], Object.keys(all).length === 1 ? on : all, place.place)
  }
}

/** What Gunicorn has for all of its addresses; null: no TLS. */
function tlsOf(draft: GunicornDraft): Record<string, Value> | null {
  const certificate = draft.text('certfile')
  const key = draft.text('keyfile')
  if (certificate === '') {
    const given = draft.get('keyfile')
    if (key !== '' && given !== undefined) draft.problem(given, 'a keyfile without a certfile')
    return null
  }
  const tls: Record<string, Value> = {}
  const ca = draft.text('ca_certs')
  // ssl.CERT_OPTIONAL and CERT_REQUIRED; who need not show one is not asked.
  const asks = draft.text('cert_reqs')
  if (ca !== '' && (asks === '1' || asks === '2')) {
    const mode = asks === '1' ? 'optional' : 'require'
    tls['client-certificates'] = { ca: draft.inFolder(ca), mode }
  }
  const ciphers = draft.text('ciphers')
  if (ciphers !== '') tls.ciphers = ciphers
  return {
    certificate: draft.inFolder(certificate),
    ...(key === '' ? {} : { key: draft.inFolder(key) }),
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
  }
}

function addressOf(draft: GunicornDraft, given: Given, text: string): string | undefined {
  if (text.startsWith('fd://')) {
    draft.problem(given, `${text} is a socket that another program has opened`, {
      expected: 'its address: a socket unit’s sockets are taken by their addresses',
    })
    return undefined
  }
  if (text.startsWith('unix:')) return `unix:${draft.inFolder(text.slice(5).replace(/^\/\//, ''))}`
  const plain = text.replace(/^tcp:\/\//, '')
  // A host alone means Gunicorn's own port.
  return /:\d+$/.test(plain) ? plain : `${plain}:8000`
}

function application(draft: GunicornDraft, target: Given): void {
  const app = draft.get('wsgi_app') ?? target
  draft.setApp(['python'], pythonOf(draft.text('wsgi_app') || String(target.value)), app)
  draft.setApp(['dir'], draft.folder, draft.get('chdir') ?? target)
  const venv = draft.environment.VIRTUAL_ENV
  if (venv !== undefined && venv !== '') draft.setApp(['venv'], venv, target)
  const workers = draft.get('workers')
  const fromEnvironment = Number(draft.environment.WEB_CONCURRENCY ?? '')
  const count = workers === undefined ? fromEnvironment || 1 : draft.number(workers)
  draft.setApp(['workers'], Math.max(1, count), workers ?? target)
  if (!draft.isOn('preload_app')) draft.setApp(['lazy'], true, draft.get('preload_app') ?? target)
  mode(draft, target)
}

/** `module` alone means `application`, as with us. */
function pythonOf(text: string): string {
  return text.replace(/\.py(?=:|$)/, '')
}

function mode(draft: GunicornDraft, target: Given): void {
  const given = draft.get('worker_class')
  const name = draft.text('worker_class') || 'sync'
  const found =
    CLASSES[
      name
        .split('.')
        .at(-1)
        ?.replace(/^.*[:#]/, '') ?? ''
    ]
  if (given !== undefined && found === undefined) {
    draft.problem(given, `the worker class ${name} is not supported`, { expected: KNOWN })
    return
  }
  const threads = draft.count('threads', 1)
  const isThreaded = found === 'wsgi' && (threads > 1 || /thread/i.test(name))
  draft.setApp(['mode'], found ?? 'wsgi', given ?? target)
  if (isThreaded && threads > 1) draft.setApp(['threads'], threads, draft.get('threads') ?? target)
  const connections = draft.get('worker_connections')
  if (connections !== undefined && found !== 'wsgi') {
    draft.setApp(['concurrency'], draft.number(connections), connections)
  }
  // Of other classes Gunicorn only asks that the worker lives; a request may take as long as it likes.
  const isPlain = found === 'wsgi' && !isThreaded
  const timeout = draft.get('timeout')
  const seconds = timeout === undefined ? TIMEOUT : draft.seconds(timeout)
  const deadline = isPlain && seconds > 0 ? showDuration(Math.round(seconds * 1000)) : 0
  draft.setApp(['deadline'], deadline, timeout ?? target)
}

function hooks(draft: GunicornDraft, config: string): void {
  const first = HOOKS.filter(({ runs }) => runs).find(({ name }) => draft.get(name) !== undefined)
  if (first === undefined) return
  const given = draft.get(first.name)!
  if (config.startsWith('python:')) {
    draft.left.set(first.name, 'hooks run from a file: give its path in place of python:module')
  } else draft.setApp(['hooks'], draft.inFolder(config.replace(/^file:/, '')), given)
}

/** Gunicorn believes those about the scheme alone; a unix socket is always believed. */
function proxies(draft: GunicornDraft, target: Given): void {
  const given = draft.get('forwarded_allow_ips')
  const text = given === undefined ? (draft.environment.FORWARDED_ALLOW_IPS ?? '127.0.0.1') : ''
  const all = given === undefined || given.value === null ? [text] : draft.texts(given)
  const networks = all
    .flatMap((each) => each.split(','))
    .map((each) => each.trim())
    .filter((each) => each !== '')
  const everybody = networks.includes('*')
  const trusted = everybody ? ['0.0.0.0/0', '::/0', 'unix'] : [...networks, 'unix']
  draft.set(['trusted'], [...new Set(trusted)], given ?? target)
}

function logs(draft: GunicornDraft, target: Given): void {
  const given = draft.get('accesslog')
  const [path = ''] = given === undefined || given.value === null ? [] : draft.texts(given)
  const access = path === '' ? 'off' : path === '-' ? 'stdout' : draft.inFolder(path)
  draft.set(['log', 'access'], access, given ?? target)
}

/** Only whether the site is right is asked. */
export function onlyChecks(draft: GunicornDraft): boolean {
  const asks = ['check_config', 'print_config'].map((name) => draft.get(name)?.value)
  return asks.some((value) => value !== undefined && truth(value))
}
