/** What the workers of a site share: through reloads, killed processes, forks, and from other programs. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Portico, PYTHON, run } from './support/portico.ts'
import { kill } from './support/processes.ts'
import { ask } from './support/visitor.ts'

const site = (more = '', app = ''): string => `
listen: "127.0.0.1:0"
threads: 2
routes: { /: { app: shop } }
apps:
  shop: { python: shop, interpreter: ${PYTHON}, workers: 2${app} }
${more}`

const shop = `
import json, logging, os, time
import portico, portico.log

if IMPORTING:
    portico.cache.set("imported", os.getpid())

portico.log.install()
logging.basicConfig(format="%(app)s/%(worker)s %(request_id)s %(request)s %(message)s")
heard = []
portico.listen("ding", heard.append)

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/count":
        answer = portico.counter("visits").incr()
    elif path == "/get":
        answer = portico.cache.get_text("key")
    elif path == "/imported":
        time.sleep(0.05)
        answer = [int(portico.cache.get("imported")), os.getpid()]
    elif path == "/set":
        answer = portico.cache.set("key", environ["QUERY_STRING"])
    elif path == "/lock":
        lock = portico.lock("one")
        answer = lock.acquire(timeout=5)
        if environ["QUERY_STRING"] == "die":
            os.kill(os.getpid(), 9)
        lock.release()
    elif path == "/signal":
        answer = portico.signal("ding", "x")
    elif path == "/heard":
        time.sleep(0.05)
        answer = [os.getpid(), len(heard)]
    elif path == "/log":
        logging.warning("said")
        answer = portico.log.request_id()
    elif path == "/metric":
        portico.metrics.counter("orders", country="de")
        answer = None
    body = json.dumps(answer).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
`

const files = (more = '', app = '', importing = false): Record<string, string> => ({
  'site.yaml': site(more, app),
  'shop.py': shop.replace('IMPORTING', importing ? 'True' : 'False'),
})

async function get(portico: Portico, path: string, id = ''): Promise<unknown> {
  const fields = id === '' ? {} : { 'X-Request-ID': id }
  const { status, text } = await ask(portico.port, path, { fields })
  expect(status, text).toBe(200)
  return JSON.parse(text)
}

/** At a time: of both workers. */
function getTwo(portico: Portico, path: string): Promise<[number, number][]> {
  const both = [get(portico, path), get(portico, path)]
  return Promise.all(both) as Promise<[number, number][]>
}

function commons(portico: Portico): number[] {
  return portico
    .processes()
    .filter(({ command }) => command.includes('commons/main'))
    .map(({ pid }) => pid)
}

test('starts when it is first asked for, outlives a reload, and is gone with the site', async () => {
  const portico = await Portico.serve(files())
  await portico.settled()
  // Workers that listen have asked for it; without them nobody has.
  await until('the process', () => commons(portico).length === 1)
  expect(await get(portico, '/set?hello')).toBeNull()
  for (let i = 1; i <= 10; i++) expect(await get(portico, '/count')).toBe(i)
  const [pid] = commons(portico)
  expect((await portico.run('reload')).code).toBe(0)
  expect(await get(portico, '/get')).toBe('hello')
  expect(await get(portico, '/count')).toBe(11)
  expect(commons(portico)).toEqual([pid])
  await portico[Symbol.asyncDispose]()
  expect(portico.processes()).toEqual([])
})

test('nobody asks: no process', async () => {
  await using portico = await Portico.serve({
    'site.yaml': site(),
    'shop.py': 'def application(environ, start):\n  start("200 OK", [])\n  return [b"1"]\n',
  })
  await portico.settled()
  await get(portico, '/')
  expect(commons(portico)).toEqual([])
})

test('a commons that is killed is there again for the next question, empty', async () => {
  await using portico = await Portico.serve(files())
  await get(portico, '/set?hello')
  for (let round = 0; round < 3; round++) {
    const [pid] = commons(portico)
    kill(pid!)
    await until('it to be gone', () => !commons(portico).includes(pid!))
    expect(await get(portico, '/get')).toBeNull()
    expect(await get(portico, '/set?again')).toBeNull()
    expect(await get(portico, '/get')).toBe('again')
  }
  expect(portico.messages).toContain('the commons process died (SIGKILL)')
})

test('a worker that dies with a lock holds up nobody', async () => {
  await using portico = await Portico.serve(files())
  const { status } = await ask(portico.port, '/lock?die')
  expect(status).toBe(502)
  expect(await get(portico, '/lock')).toBe(true)
})

test('what an import has opened is not what workers use', async () => {
  await using portico = await Portico.serve(files('', '', true))
  await portico.settled()
  const seen = new Set<number>()
  await until('both workers', async () => {
    for (const [parent, worker] of await getTwo(portico, '/imported')) {
      expect(worker).not.toBe(parent)
      seen.add(worker)
    }
    return seen.size === 2
  })
  // It is no danger to them either.
  expect(portico.messages).not.toContain('the import opened')
})

test('a signal is heard in every worker', async () => {
  await using portico = await Portico.serve(files())
  await portico.settled()
  await until('all to listen', async () => (await get(portico, '/signal')) === 2)
  const heard = new Set<number>()
  await until('all to hear', async () => {
    for (const [pid, count] of await getTwo(portico, '/heard')) if (count > 0) heard.add(pid)
    return heard.size === 2
  })
})

test.each([
  ['', 'with one request at a time'],
  [', threads: 4', 'with threads'],
  [', mode: gevent', 'with gevent'],
])('a line of the log says which request it belongs to%s', async (app) => {
  await using portico = await Portico.serve(files('', app))
  const ids = Array.from({ length: 20 }, (_, i) => `id-${i}`)
  expect(await Promise.all(ids.map((id) => get(portico, '/log', id)))).toEqual(ids)
  for (const id of ids) await portico.logged(new RegExp(`^shop/[01] ${id} GET /log said$`))
})

test('an ASGI application awaits the same', async () => {
  const app = `
import json, logging
import portico.log
from portico import aio

portico.log.install()
logging.basicConfig(format="%(app)s %(request_id)s %(request)s %(message)s")

async def application(scope, receive, send):
    count = await aio.counter("visits").incr()
    async with aio.lock("one"):
        await aio.cache.set("last", count, expires=60)
    logging.warning("said")
    body = json.dumps([count, int(await aio.cache.get("last")) > 0, portico.log.request_id()])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body.encode()})
`
  await using portico = await Portico.serve({ 'site.yaml': site(), 'shop.py': app })
  const ids = Array.from({ length: 30 }, (_, i) => `id-${i}`)
  const answers = (await Promise.all(ids.map((id) => get(portico, '/', id)))) as unknown[][]
  expect(answers.map(([, fresh, id]) => [fresh, id])).toEqual(ids.map((id) => [true, id]))
  expect(new Set(answers.map(([count]) => count)).size).toBe(30)
  await portico.logged(/^shop id-7 GET \/ said$/)
})

test('other programs find it as Redis and as memcached', async () => {
  const more =
    'cache: { redis: "unix:./redis.sock", memcached: "unix:./memcached.sock", size: 8MB }'
  await using portico = await Portico.serve(files(more))
  const at = (name: string): string => `${portico.folder}/${name}.sock`
  expect((await run('redis-cli', ['-s', at('redis'), 'set', 'a', 'x'])).out).toBe('OK\n')
  expect((await run('memccat', [`--servers=${at('memcached')}`, 'a'])).out).toBe('x\n')
  expect((await run('redis-cli', ['-s', at('redis'), 'info', 'memory'])).out).toContain(
    'maxmemory:8388608',
  )
  // The applications' own is apart.
  expect((await run('redis-cli', ['-s', at('redis'), 'flushdb'])).out).toBe('OK\n')
  expect(await get(portico, '/count')).toBe(1)
})

test('metrics of the application are among those of the site', async () => {
  await using portico = await Portico.serve(files())
  for (let i = 0; i < 3; i++) await get(portico, '/metric')
  const metrics = async (): Promise<string> =>
    (await ask(portico.log.find((line) => line.admin)!.admin!, '/metrics')).text
  await until('the metric', async () => (await metrics()).includes('orders_total{country="de"} 3'))
  expect(await metrics()).toContain('portico_commons_clients')
  expect((await portico.status()).commons?.limit).toBe(64 * 1024 ** 2)
})

test('an application that imports uwsgi finds what Portico has of it', async () => {
  const app = `
import json
import uwsgi
import uwsgidecorators

def remedy(work):
    try:
        return work()
    except (AttributeError, RuntimeError) as error:
        return type(error).__name__ + " " + str(error)

def application(environ, start_response):
    start_response("200 OK", [])
    uwsgi.cache_clear("c")
    uwsgi.lock()
    answer = [
        uwsgi.cache_set("a", b"1", 60, "c"),
        uwsgi.cache_set("a", b"2", 60, "c"),
        uwsgi.cache_update("a", b"3", 60, "c"),
        uwsgi.cache_get("a", "c").decode(),
        uwsgi.cache_get("a"),
        uwsgi.cache_inc("n", 5, 0, "c"),
        uwsgi.cache_exists("none", "c"),
        uwsgi.cache_del("a", "c"),
        uwsgi.is_locked(),
        uwsgi.worker_id() in (1, 2),
        hasattr(uwsgi, "spool"),
        uwsgi.register_rpc("name", lambda word: b"called with " + word),
        uwsgi.call("name", "a word").decode(),
        remedy(lambda: uwsgi.spool({"a": b"b"})),
        remedy(lambda: uwsgi.websocket_handshake()),
        remedy(lambda: uwsgidecorators.spool(print)),
    ]
    uwsgi.unlock()
    uwsgi.signal(17)
    uwsgi.log("said through uwsgi")
    uwsgi.add_timer(1, 5)
    return [json.dumps([*answer, uwsgi.is_locked()]).encode()]
`
  await using portico = await Portico.serve({
    'site.yaml': site('', ', compat: uwsgi'),
    'shop.py': app,
  })
  expect(await get(portico, '/')).toEqual([
    ...[
      true,
      null,
      true,
      '3',
      null,
      true,
      null,
      true,
      true,
      true,
      false,
      true,
      'called with a word',
    ],
    expect.stringMatching(/^AttributeError .*uwsgi.spool; use `jobs: { workers: 1 }`/),
    expect.stringMatching(/^AttributeError .*uwsgi.websocket_handshake; use an ASGI application$/),
    expect.stringMatching(
      /^RuntimeError nobody would do the tasks of print: .*jobs: { workers: 1 }/,
    ),
    false,
  ])
  await portico.logged(/^said through uwsgi$/)
  await portico.logged(
    /uwsgi.add_timer has no effect here: call it while the application is imported$/,
  )
})

test('an address that is taken is told at the start, with who has it', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const portico = new Portico(files(`cache: { redis: "127.0.0.1:${port}" }`))
  expect((await portico.exited).code).toBe(1)
  expect(portico.messages).toMatch(
    /cannot listen on 127\.0\.0\.1:\d+: the port is in use by \S+ \(pid \d+\)/,
  )
  expect(portico.processes()).toEqual([])
  server.close()
  await portico[Symbol.asyncDispose]()
})
