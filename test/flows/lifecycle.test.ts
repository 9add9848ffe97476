/**
 * Workers come and go while visitors are served: reload of one application, recycling, numbers that
 * follow the load, in every language; and what is said when workers cannot live.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { AppStatus, SiteStatus } from '../../src/supervisor/status.ts'
import { isAlive } from '../../src/system/alive.ts'
import { type Answer, httpAnswer, until } from '../supervisor/site.ts'
import { Load } from './support/load.ts'
import { Portico, PYTHON } from './support/portico.ts'
import { kill } from './support/processes.ts'
import { ask } from './support/visitor.ts'

interface Language {
  readonly name: string
  /** The settings that name the file. */
  readonly named: (stem: string) => string
  readonly file: (stem: string) => string
  /** Answers with `version` and its process; after a while on /nap. */
  readonly code: (version: string) => string
}

const wsgi: Language = {
  name: 'python',
  named: (stem) => `python: ${stem}, interpreter: ${PYTHON}`,
  file: (stem) => `${stem}.py`,
  code: (version) => `
import os, time
def application(environ, start_response):
    if environ["PATH_INFO"] == "/nap":
        time.sleep(0.3)
    body = ("${version} %d" % os.getpid()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
`,
}

const languages: readonly Language[] = [
  wsgi,
  {
    name: 'asgi',
    named: wsgi.named,
    file: wsgi.file,
    code: (version) => `
import asyncio, os
async def application(scope, receive, send):
    if scope["path"] == "/nap":
        await asyncio.sleep(0.3)
    body = ("${version} %d" % os.getpid()).encode()
    fields = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body})
`,
  },
  {
    name: 'node, a fetch handler',
    named: (stem) => `node: ${stem}.mjs`,
    file: (stem) => `${stem}.mjs`,
    code: (version) => `
export default {
  async fetch(request) {
    if (new URL(request.url).pathname === '/nap') await new Promise((f) => setTimeout(f, 300))
    return new Response('${version} ' + process.pid)
  },
}
`,
  },
  {
    name: 'node, a program',
    named: (stem) => `node: ${stem}.mjs`,
    file: (stem) => `${stem}.mjs`,
    code: (version) => `
import { createServer } from 'node:http'
const server = createServer((request, response) => {
  const answer = () => {
    const body = '${version} ' + process.pid
    response.writeHead(200, { 'Content-Length': body.length }).end(body)
  }
  if (request.url === '/nap') setTimeout(answer, 300)
  else answer()
})
server.listen(process.env.PORT)
`,
  },
  {
    name: 'psgi',
    named: (stem) => `psgi: ${stem}.psgi`,
    file: (stem) => `${stem}.psgi`,
    code: (version) => `
sub {
    my $env = shift;
    select undef, undef, undef, 0.3 if $env->{PATH_INFO} eq '/nap';
    my $body = "${version} $$";
    [200, ['Content-Length', length $body], [$body]];
}
`,
  },
  {
    name: 'rack',
    named: (stem) => `rack: ${stem}.ru`,
    file: (stem) => `${stem}.ru`,
    code: (version) => `
run lambda { |env|
  sleep 0.3 if env['PATH_INFO'] == '/nap'
  body = "${version} #{Process.pid}"
  [200, { 'content-length' => body.bytesize.to_s }, [body]]
}
`,
  },
]

/** `shop` has two workers that are recycled; `tool` runs only while it is used. */
const site = ({ named }: Language, shop: string, tool = 'workers: 1'): string => `
listen: "127.0.0.1:0"
threads: 2
routes:
  /: { app: shop }
  /tool/: { app: tool }
apps:
  shop: { ${named('shop')}, ${shop} }
  tool: { ${named('tool')}, ${tool} }
`

async function serve(language: Language, shop: string, tool?: string): Promise<Portico> {
  const { file, code } = language
  return Portico.serve({
    'site.yaml': site(language, shop, tool),
    [file('shop')]: code('one'),
    [file('tool')]: code('tool'),
  })
}

/** From the admin socket: a process for each question would be most of the time. */
async function admin(portico: Portico, method: string, path: string): Promise<Answer> {
  const socketPath = portico.log.findLast((line) => line.admin !== undefined)?.admin ?? ''
  return httpAnswer({ socketPath, method, path })
}

async function statusOf(portico: Portico): Promise<SiteStatus> {
  return JSON.parse((await admin(portico, 'GET', '/status')).body)
}

/** Every worker is linked. */
async function settled(portico: Portico): Promise<void> {
  await until('every worker', async () =>
    Object.values((await statusOf(portico)).apps).every(
      ({ connected, wanted = 1 }) => connected === wanted,
    ),
  )
}

async function appOf(portico: Portico, name = 'shop'): Promise<AppStatus> {
  const app = (await statusOf(portico)).apps[name]
  if (app === undefined) throw new Error(`no application ${name}`)
  return app
}

function pidsOf({ parent, workers }: AppStatus): number[] {
  return [parent, ...workers.map(({ pid }) => pid)]
}

/** Nothing was lost, and everything was answered well. */
async function clean(load: Load): Promise<void> {
  const { lost, answered, sent, statuses } = await load.stop()
  expect(lost).toEqual([])
  expect(answered).toBe(sent)
  expect(Object.keys(statuses)).toEqual(['200'])
}

describe.each(languages)('$name', (language) => {
  const { file, code } = language

  test('a reload of one application, all at once and rolling: nothing is lost, the others stay', async () => {
    await using portico = await serve(language, 'workers: 2')
    await settled(portico)
    const before = await statusOf(portico)
    const old: number[] = []
    const seen = new Set<string>()
    await using load = new Load(portico.port, {
      kept: 6,
      fresh: 2,
      answered: (_n, _status, body) => seen.add(body.split(' ')[0] ?? ''),
    })
    for (const [version, how] of [
      ['two', 0],
      ['three', 1],
    ] as const) {
      old.push(...pidsOf(await appOf(portico)))
      portico.write(file('shop'), code(version))
      const { status, body } = await admin(portico, 'POST', `/reload?app=shop&rolling=${how}`)
      expect([status, JSON.parse(body)]).toEqual([
        200,
        { ok: true, message: '', generation: 1, app: 'shop' },
      ])
      expect((await ask(portico.port, '/')).text).toMatch(version)
    }
    await clean(load)
    expect([...seen].sort()).toEqual(['one', 'three', 'two'])
    await until('the old processes to end', () => old.filter(isAlive).length === 0)
    const after = await statusOf(portico)
    expect(after).toMatchObject({ generation: 1, server: { pid: before.server.pid } })
    expect(after.apps.tool).toMatchObject({
      parent: before.apps.tool?.parent,
      workers: [{ pid: before.apps.tool?.workers[0]?.pid }],
    })
    expect(after.apps.shop?.workers).toHaveLength(2)
  }, 60_000)

  test('recycling by requests, and a tool that sleeps: nothing is lost, nobody is refused', async () => {
    await using portico = await serve(
      language,
      'workers: 3, recycle: { requests: 40 }',
      'workers: { min: 0, max: 2, idle: 400ms, warm: false }',
    )
    const workers = new Set<string>()
    await using load = new Load(portico.port, {
      kept: 4,
      fresh: 1,
      answered: (_n, _status, body) => workers.add(body),
    })
    const asleep = async (): Promise<boolean> => (await appOf(portico, 'tool')).state === 'asleep'
    await until('the tool to sleep', asleep)
    expect((await appOf(portico, 'tool')).parent).toBe(0)
    const held = await Promise.all([1, 2, 3].map(() => ask(portico.port, '/tool/')))
    expect(held.map(({ status, text }) => `${status} ${text.split(' ')[0]}`)).toEqual(
      Array(3).fill('200 tool'),
    )
    await until('replacements', async () => ((await appOf(portico)).reasons.requests ?? 0) >= 4)
    await until('the tool to sleep again', asleep)
    expect((await ask(portico.port, '/tool/nap')).status).toBe(200)
    await clean(load)
    expect(workers.size).toBeGreaterThanOrEqual(6)
    const { state, reasons, restarts } = await appOf(portico)
    expect(state).toBe('running')
    // None has died: each was replaced.
    expect(reasons).toEqual({ requests: restarts })
  }, 60_000)
})

test('all at once: reloads of the application and of the site, recycling, workers that are killed', async () => {
  await using portico = await serve(wsgi, 'workers: 3, recycle: { requests: 200, age: 2s }')
  await settled(portico)
  await using load = new Load(portico.port, {
    kept: 8,
    fresh: 2,
    request: (n) => `${n % 3 ? 'GET' : 'POST'} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`,
  })
  let killed = 0
  const over = performance.now() + 6_000
  const killing = async (): Promise<void> => {
    while (performance.now() < over) {
      await sleep(350)
      const { workers } = await appOf(portico)
      const victim = workers[killed % workers.length]
      if (victim !== undefined && kill(victim.pid)) killed++
    }
  }
  const reloading = async (): Promise<void> => {
    for (let round = 0; performance.now() < over; round++) {
      const path = ['/reload?app=shop', '/reload?app=shop&rolling=1', '/reload'][round % 3]!
      const { body } = await admin(portico, 'POST', path)
      // A worker of the new code may be among those that are killed, but not five in a row.
      expect(JSON.parse(body)).toMatchObject({ ok: true })
      await sleep(100)
    }
  }
  await Promise.all([killing(), reloading()])
  const { lost, answered, sent, statuses } = await load.stop()
  expect(lost).toEqual([])
  expect(answered).toBe(sent)
  expect(Object.keys(statuses).filter((status) => status !== '200' && status !== '502')).toEqual([])
  // Only what a killed worker had in hand.
  expect(statuses[502] ?? 0).toBeLessThanOrEqual(killed)
  expect(killed).toBeGreaterThan(5)
  await settled(portico)
  // Beside one that is being replaced stands another, for a moment.
  await until('three workers', async () => {
    const { state, workers } = await appOf(portico)
    return state === 'running' && workers.length === 3
  })
}, 40_000)

test('code that does not load is not taken: why, exit code 1, the old code goes on', async () => {
  await using portico = await serve(wsgi, 'workers: 2')
  await settled(portico)
  const before = await appOf(portico)
  for (const [bad, why] of [
    ['import no_such_module_anywhere\n', /No module named 'no_such_module_anywhere'/],
    [
      'import os\nos.register_at_fork(after_in_child=lambda: os._exit(3))\napplication = print\n',
      /keep dying right after their start \(exit code 3\)/,
    ],
    ['import os\nos.kill(os.getpid(), 9)\n', /its process died \(SIGKILL\)/],
  ] as const) {
    portico.write('shop.py', bad)
    for (const how of [[], ['--rolling']]) {
      const { code, err, out } = await portico.run('reload', '--app', 'shop', ...how)
      expect([code, out]).toEqual([1, ''])
      expect(err).toMatch(
        /^not reloaded, the site serves as before: application shop did not load: /,
      )
      expect(err).toMatch(why)
      expect((await ask(portico.port, '/')).text).toMatch('one')
    }
  }
  const { parent, workers } = await appOf(portico)
  expect(parent).toBe(before.parent)
  expect(workers.map(({ pid }) => pid)).toEqual(before.workers.map(({ pid }) => pid))
  expect((await portico.run('reload', '--app', 'shoop')).err).toMatch(
    'there is no application shoop; did you mean shop?',
  )
  expect((await portico.run('reload', '--rolling')).code).toBe(2)
}, 60_000)

test('an application that was broken is loaded by a reload of its own', async () => {
  await using portico = await serve(wsgi, 'workers: 1')
  await settled(portico)
  portico.write('shop.py', 'nonsense\n')
  kill((await appOf(portico)).parent)
  await until('it to be broken', async () => (await appOf(portico)).state === 'broken')
  expect((await ask(portico.port, '/')).status).toBe(500)
  portico.write('shop.py', wsgi.code('mended'))
  expect((await portico.run('reload', '--app', 'shop')).code).toBe(0)
  expect((await ask(portico.port, '/')).text).toMatch('mended')
})

test('a touched file reloads its application, another the site; either may come later', async () => {
  const shop = 'workers: 1, reload: { touch: [./again, ./later], rolling: true }'
  await using portico = await Portico.serve({
    'site.yaml': `${site(wsgi, shop)}touch: ./all\n`,
    'shop.py': wsgi.code('one'),
    'tool.py': wsgi.code('tool'),
    all: '',
  })
  await settled(portico)
  portico.write('shop.py', wsgi.code('two'))
  portico.write('later', '')
  await portico.logged(/^reloading application shop: .*later was touched/)
  await until('the new code', async () => (await ask(portico.port, '/')).text.startsWith('two'))
  expect((await statusOf(portico)).generation).toBe(1)
  portico.write('all', 'again')
  await until('the next generation', async () => (await statusOf(portico)).generation === 2)
})

test('a worker that grows, or is old, is replaced before it leaves', async () => {
  const leaking = `
import os
held = []
def application(environ, start_response):
    held.append(b"x" * 2_000_000)
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
`
  await using portico = await Portico.serve({
    'site.yaml': site(
      wsgi,
      'workers: 2, recycle: { memory: 60MB }',
      'workers: 2, recycle: { age: 700ms, jitter: 0 }',
    ),
    'shop.py': leaking,
    'tool.py': wsgi.code('tool'),
  })
  await settled(portico)
  await using load = new Load(portico.port, { kept: 2, fresh: 0, pauseMs: 5 })
  await until('both', async () => {
    const { apps } = await statusOf(portico)
    return (apps.shop?.reasons.memory ?? 0) > 1 && (apps.tool?.reasons.age ?? 0) > 3
  })
  await clean(load)
  const { apps } = await statusOf(portico)
  for (const name of ['shop', 'tool']) expect(apps[name]?.connected).toBeGreaterThanOrEqual(2)
  expect(portico.messages).toMatch(/worker replaced by \d+: it holds \d+\w+ of memory/)
  expect(portico.messages).toMatch(/worker replaced by \d+: it is \d+s old/)
}, 30_000)

test.each(['spare', 'backlog', 'busyness', 'delay'])(
  'the number follows the load, by %s',
  async (by) => {
    const knobs = `every: 250ms, overload: 1, busyness: { multiplier: 2, penalty: 0 }`
    await using portico = await serve(wsgi, `workers: { min: 1, max: 5, by: ${by}, ${knobs} }`)
    await settled(portico)
    expect((await appOf(portico)).workers).toHaveLength(1)
    const request = (): string => 'GET /nap HTTP/1.1\r\nHost: localhost\r\n\r\n'
    await using load = new Load(portico.port, { kept: 12, fresh: 0, request })
    await until('more workers', async () => (await appOf(portico)).connected >= 4)
    await clean(load)
    await until('one to be left', async () => (await appOf(portico)).workers.length === 1, 20_000)
    const { reasons } = await appOf(portico)
    expect(reasons).toEqual({})
  },
  60_000,
)

test('workers that only die: a sentence, an error at once, and better again when they live', async () => {
  const dying = `
import os
def after():
    if not os.path.exists("cured"):
        os._exit(3)
os.register_at_fork(after_in_child=after)
${wsgi.code('cured')}
`
  await using portico = await Portico.serve({
    'site.yaml': site(wsgi, 'workers: 2, dir: .'),
    'shop.py': dying,
    'tool.py': wsgi.code('tool'),
  })
  const { level } = await portico.logged(
    /^application shop is broken: its workers keep dying right after their start \(exit code 3\); visitors get an error until one lives\. The next one is tried in 5 s/,
  )
  expect(level).toBe('error')
  const began = performance.now()
  expect((await ask(portico.port, '/')).status).toBe(500)
  expect(performance.now() - began).toBeLessThan(500)
  expect((await ask(portico.port, '/tool/')).status).toBe(200)
  const lines = portico.log.length
  await sleep(300)
  expect(portico.log.length).toBe(lines)
  portico.write('cured', '')
  await portico.logged(/^application shop lives again/)
  expect((await ask(portico.port, '/')).text).toMatch('cured')
  await until('both workers', async () => (await appOf(portico)).connected === 2)
}, 30_000)

test('need-app: a site none of whose applications loads ends', async () => {
  const files = { 'shop.py': 'nonsense\n', 'tool.py': 'nonsense\n' }
  const yaml = `${site(wsgi, 'workers: 1')}need-app: true\n`
  await using lost = new Portico({ ...files, 'site.yaml': yaml })
  expect(await lost.exited).toEqual({ code: 1, signal: null })
  expect(lost.messages).toMatch(/none of the applications loaded, see above, and `need-app` is set/)
  await using half = await Portico.serve({
    ...files,
    'tool.py': wsgi.code('tool'),
    'site.yaml': yaml,
  })
  expect((await ask(half.port, '/tool/')).status).toBe(200)
})

test('lazy: workers import by themselves, and a reload of what does not load is refused all the same', async () => {
  await using portico = await serve(wsgi, 'workers: 2, lazy: true')
  await settled(portico)
  await using load = new Load(portico.port, { kept: 3, fresh: 1 })
  portico.write('shop.py', 'raise LookupError("on purpose")\n')
  const { status, body } = await admin(portico, 'POST', '/reload?app=shop')
  expect(status).toBe(409)
  expect(JSON.parse(body).message).toMatch(/shop\.py", line 1(.*\n)*LookupError: on purpose/)
  portico.write('shop.py', wsgi.code('two'))
  expect((await admin(portico, 'POST', '/reload?app=shop&rolling=1')).status).toBe(200)
  expect((await ask(portico.port, '/')).text).toMatch('two')
  await clean(load)
})
