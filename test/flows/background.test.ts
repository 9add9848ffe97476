/** What a site does beside answering visitors: at times, when files change, and all the time. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Portico, PYTHON, type Ran, portico as run } from './support/portico.ts'
import { ask } from './support/visitor.ts'

const app = (code: string): string => `
import os, sys, time
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]
def note(file, text):
    with open(file, "a") as out:
        out.write(text + "\\n")
${code}
`

interface Language {
  readonly name: string
  /** The application's module, with code of its own. */
  readonly file: string
  readonly app: (code: string) => string
  readonly key: string
  /** What cases need of it. */
  readonly slow: string
  readonly mules: string
  readonly deaf: string
  /** A function of it, for the site file. */
  readonly call: (name: string) => string
}

const PYTHON_CODE: Language = {
  name: 'Python',
  file: 'app.py',
  app,
  key: `python: "app:application", interpreter: ${PYTHON}`,
  slow: `
def slow():
    note("calls", "begun")
    while not os.path.exists("go"): time.sleep(0.02)
    note("calls", "done")
import portico
@portico.cron("@yearly")
def yearly(): note("calls", "VERSION")
`,
  mules: `
def first(): note("mules", "first VERSION %d" % os.getpid()); time.sleep(600)
def second(): note("mules", "second VERSION %d" % os.getpid()); time.sleep(600)
`,
  deaf: `
def mule():
    import signal
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    time.sleep(600)
def call(): time.sleep(600)
`,
  call: (name) => `app:${name}`,
}

const NODE_CODE: Language = {
  name: 'Node',
  file: 'app.ts',
  app: (code) => `
import { appendFileSync, existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
export default { fetch: () => new Response('ok') }
const note = (file: string, text: string) => appendFileSync(file, text + '\\n')
${code}
`,
  key: 'node: ./app.ts',
  slow: `
export async function slow() {
  note('calls', 'begun')
  while (!existsSync('go')) await sleep(20)
  note('calls', 'done')
}
export const yearly = () => note('calls', 'VERSION')
`,
  mules: `
export async function first() { note('mules', 'first VERSION ' + process.pid); await sleep(600_000) }
export async function second() { note('mules', 'second VERSION ' + process.pid); await sleep(600_000) }
`,
  deaf: `
export function mule() { process.on('SIGTERM', () => {}); for (;;); }
export const call = () => sleep(600_000)
`,
  call: (name) => `./app.ts:${name}`,
}

const languages = [PYTHON_CODE, NODE_CODE]

function site(more: string, settings = '', language = PYTHON_CODE): string {
  return `
listen: "127.0.0.1:0"
log: { access: "off" }
state: ./state
timeouts: { stop: 5s }
routes: { /: { app: shop } }
apps: { shop: { ${language.key}, workers: 1${settings} } }
${more}
`
}

function serve(code: string, more = '', settings = '', language = PYTHON_CODE): Promise<Portico> {
  return Portico.serve({
    [language.file]: language.app(code),
    'site.yaml': site(more, settings, language),
  })
}

function read(portico: Portico, name: string): string {
  const path = join(portico.folder, name)
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

const noted = (portico: Portico, name: string, text: string | RegExp): Promise<string> =>
  until(`${text} in ${name}; the log:\n${portico.messages}`, () => {
    const found = read(portico, name)
    return (typeof text === 'string' ? found.includes(text) : text.test(found)) && found
  })

test('decorators: what code declares is done, in processes of its own', async () => {
  await using portico = await serve(
    `
import portico
@portico.timer(0.2)
def tick(): note("ticks", "tick in %d" % os.getpid())
@portico.cron(0, 3, -1, -1, -1)
def nightly():
    print("it is night")
    note("nights", "night")
@portico.filewatch("flags/*.txt")
async def changed(): note("changes", "changed")
@portico.on_signal(17)
def heard(num): note("signals", "heard %s" % num)
@portico.mule
def feed():
    while True:
        note("messages", "%s for %d" % (portico.mule_get_msg().decode(), portico.mule_id()))
@portico.postfork
def forked(): note("forks", str(os.getpid()))
@portico.thread
def aside(): note("threads", "in a thread")
try: portico.timer("30s")
except TypeError as error: note("seconds", str(error))
@portico.cron("@yearly")
def raises():
    aside().join()
    portico.signal(17)
    portico.mule_msg("hello")
    portico.mule_msg("you", 1)
`,
  )
  const { background } = await portico.status()
  expect(background.tasks.map(({ kind, name, when }) => `${kind} ${name}: ${when}`)).toEqual([
    'cron app:nightly: 0 3 * * *',
    'cron app:raises: @yearly',
    'timer app:tick: every 200ms',
    `watch app:changed: ${portico.folder}/flags/*.txt`,
    'signal app:heard: signal 17',
  ])
  const ticks = await noted(portico, 'ticks', /tick.*\n.*tick.*\n.*tick/)
  // A fork for each call.
  const pids = ticks.match(/\d+/g) ?? []
  expect(new Set(pids).size).toBe(pids.length)
  mkdirSync(join(portico.folder, 'flags'))
  portico.write('flags/a.txt', '')
  await noted(portico, 'changes', 'changed')
  const list = await portico.run('cron')
  expect(list.out).toMatch(/^shop\/app:nightly +0 3 \* \* \*/m)
  expect((await runTask(portico, 'app:raises')).code).toBe(0)
  expect((await runTask(portico, 'rises')).err).toMatch(
    /no task rises; there is .*shop\/app:raises/,
  )
  expect(read(portico, 'threads')).toBe('in a thread\n')
  expect(read(portico, 'seconds')).toBe(
    "times are numbers of seconds, such as 30 or 0.5, not '30s'\n",
  )
  await noted(portico, 'signals', 'heard 17')
  await noted(portico, 'messages', 'hello for 1')
  await noted(portico, 'messages', 'you for 1')
  const night = await runTask(portico, 'shop/nightly')
  expect([night.code, night.out]).toEqual([0, expect.stringContaining('done (exit code 0')])
  expect(read(portico, 'nights')).toBe('night\n')
  const [, id] = /run (\w+) in the log/.exec(night.out) ?? []
  expect(await portico.logged(/it is night/)).toMatchObject({ task: 'app:nightly', run: id })
  // In the worker, in the mule and in every call.
  expect(read(portico, 'forks').split('\n').length).toBeGreaterThan(5)
})

/** The command takes the task before the target. */
function runTask(portico: Portico, name: string): Promise<Ran> {
  const { admin = '' } = portico.log.find((line) => line.admin !== undefined) ?? {}
  return run(['cron', 'run', name, '--admin', admin], { cwd: portico.folder })
}

test('commands, calls and pages: what comes of them is logged, counted and shown', async () => {
  await using portico = await serve(
    `
def broken():
    print("working on it")
    raise LookupError("nothing there")
def slow(): time.sleep(60)
`,
    `
timers:
  - { every: 24h, run: "echo one; echo two >&2; exit 3", name: fails }
  - { every: 24h, run: [sleep, "60"], timeout: 200ms, name: long }
  - { every: 24h, app: shop, call: "app:broken" }
  - { every: 24h, app: shop, call: "app:slow", timeout: 200ms }
  - { every: 24h, app: shop, call: "app:nowhere" }
  - { every: 24h, get: / }
  - { every: 24h, get: /, host: "-", name: refused }
  - { every: 24h, get: "http://127.0.0.1:1/", name: nobody }
  - { every: 24h, run: [./no-such-program] , name: none }
  - { every: 24h, run: "id -un; pwd; echo $COLOUR", user: nobody, dir: /, env: { COLOUR: red }, name: who }
`,
  )
  const result = async (name: string): Promise<string> => (await runTask(portico, name)).out
  expect(await result('fails')).toContain('failed (exit code 3')
  expect(await portico.logged(/^fails failed: exit code 3/)).toMatchObject({
    level: 'error',
    message: expect.stringMatching(/ms\none\ntwo$/),
    task: 'fails',
  })
  expect(await result('long')).toContain('timed out after 200ms')
  expect(await result('app:broken')).toContain('failed (exit code 1')
  expect((await portico.logged(/^app:broken failed/)).message).toMatch(
    /working on it\nTraceback.*in broken.*LookupError: nothing there$/s,
  )
  expect(portico.messages).not.toContain('roles/function.py')
  expect(await result('app:slow')).toContain('timed out after 200ms')
  expect(await result('app:nowhere')).toContain('failed (exit code 1')
  expect(await result('get')).toContain('done (status 200')
  expect(await result('nobody')).toContain('ECONNREFUSED')
  expect(await result('none')).toContain('cannot be started')
  expect(await result('who')).toContain('done')
  await portico.logged(/^red$/)
  expect(portico.messages).toMatch(process.getuid?.() === 0 ? /^nobody\n\/\nred$/m : /^\/\nred$/m)
  const { background } = await portico.status()
  const find = (name: string): object | undefined =>
    background.tasks.find((task) => task.name === name)
  expect(find('fails')).toMatchObject({ runs: 1, failures: 1, last: { how: 'exit code 3' } })
  expect(find('get')).toMatchObject({ runs: 1, failures: 0, last: { ok: true } })
  expect((await runTask(portico, 'neither')).err).toContain('no task neither')
})

test('calls into the code of Node: what they say is logged, and why they fail', async () => {
  const code = `
class LookupError extends Error {}
export const broken = async () => {
  console.log('working on it')
  throw new LookupError('nothing there')
}
export const slow = () => { for (;;); }
`
  const task = (name: string, more = ''): string =>
    `  - { every: 24h, app: shop, call: "./app.ts:${name}"${more} }`
  await using portico = await serve(
    code,
    ['timers:', task('broken'), task('slow', ', timeout: 300ms'), task('nowhere')].join('\n'),
    '',
    NODE_CODE,
  )
  const result = async (name: string): Promise<string> => (await runTask(portico, name)).out
  expect(await result('app.ts:broken')).toContain('failed (exit code 1')
  expect((await portico.logged(/^app.ts:broken failed/)).message).toMatch(
    /working on it\nError: nothing there\n +at broken \(.*app.ts:\d+:\d+\)$/s,
  )
  expect(await portico.logged(/^working on it/)).toMatchObject({ task: 'app.ts:broken' })
  expect(await result('app.ts:slow')).toContain('timed out after 300ms')
  expect(await result('app.ts:nowhere')).toContain('failed (exit code 1')
  await portico.logged(
    /app.ts exports no function nowhere; what it exports: broken, default, slow$/,
  )
})

test.each(languages)(
  'a run that goes on survives a reload, and nothing is run twice: $name',
  async (language) => {
    const { slow, call } = language
    const tasks = (more: string): string => `
timers:
  - { every: 24h, app: shop, call: "${call('slow')}", name: call }
  - { every: 24h, app: shop, call: "${call('yearly')}", name: yearly }
  - { every: 24h, run: "echo begun >> runs; until [ -e go ]; do sleep 0.02; done; echo done >> runs", name: run }
${more}`
    const gone = '  - { every: 200ms, run: "echo again >> gone", name: gone }'
    await using portico = await serve(slow, tasks(gone), '', language)
    await noted(portico, 'gone', 'again')
    const runs = [runTask(portico, 'call'), runTask(portico, 'run')]
    await noted(portico, 'calls', 'begun')
    await noted(portico, 'runs', 'begun')
    portico.write(language.file, language.app(slow.replace('VERSION', 'anew')))
    portico.write('site.yaml', site(tasks(''), '', language))
    expect((await portico.run('reload')).code).toBe(0)
    const left = read(portico, 'gone')
    // They still run: another one is left out.
    expect((await runTask(portico, 'call')).err).toContain('runs already')
    expect((await runTask(portico, 'run')).err).toContain('runs already')
    portico.write('go', '')
    for (const run of await Promise.all(runs)) expect(run.out).toContain('done (exit code 0')
    expect([read(portico, 'calls'), read(portico, 'runs')]).toEqual([
      'begun\ndone\n',
      'begun\ndone\n',
    ])
    await portico.logged(/^generation 1 has finished/)
    await runTask(portico, language.name === 'Python' ? 'shop/app:yearly' : 'yearly')
    await noted(portico, 'calls', 'anew')
    expect(read(portico, 'gone')).toBe(left)
  },
)

test.each(languages)(
  'mules are kept alive, and a reload replaces them one for one: $name',
  async (language) => {
    const { mules: code, call } = language
    const settings = `, mules: ["${call('first')}", "${call('second')}"]`
    await using portico = await serve(code, '', settings, language)
    await noted(portico, 'mules', 'second VERSION')
    const mules = async (): Promise<number[]> => {
      const { background } = await portico.status()
      return background.mules.map(({ pid }) => pid).filter((pid) => pid > 0)
    }
    const [victim = 0, other] = await until('two mules', async () => {
      const pids = await mules()
      return pids.length === 2 && pids
    })
    process.kill(victim, 'SIGKILL')
    await until('another', async () => {
      const pids = await mules()
      return pids.length === 2 && pids[0] !== victim && pids[1] === other
    })
    portico.write(language.file, language.app(code.replaceAll('VERSION', 'anew')))
    expect((await portico.run('reload')).code).toBe(0)
    await noted(portico, 'mules', 'first anew')
    await noted(portico, 'mules', 'second anew')
    await until('the old ones to end', async () => !(await mules()).includes(other ?? 0))
  },
)

test('a task reloads one application, with its mules and what it declares; another puts jobs', async () => {
  const code = `
import portico
@portico.job
def send(*words): note("jobs", repr(words))
@portico.timer(0.1)
def tick(): note("ticks", "VERSION")
@portico.mule
def mule():
    print("mule VERSION", flush=True)
    time.sleep(600)
`
  const more = `
timers: [{ every: 200ms, job: app.send, payload: '["a"]', times: 1 }]
watch: [{ files: touched, reload: true, app: shop }]
`
  await using portico = await serve(code, more, ', jobs: { workers: 1 }')
  await noted(portico, 'jobs', "('a',)")
  expect(await portico.logged(/^mule VERSION/)).toMatchObject({ app: 'shop', task: 'app:mule' })
  portico.write('app.py', app(code.replaceAll('VERSION', 'anew')))
  portico.write('touched', '')
  await portico.logged(/^mule anew/)
  await noted(portico, 'ticks', 'anew')
  const { generation, background } = await portico.status()
  expect([generation, background.mules.length]).toEqual([1, 1])
})

test('what passed while the site was down is made up for once', async () => {
  const more = `
cron:
  - { at: "@hourly", run: "echo ran >> hourly", missed: once, name: hourly }
  - { at: "@hourly", run: "echo ran >> skipped", name: skipped }
`
  const folder: Record<string, string> = { 'app.py': app(''), 'site.yaml': site(more) }
  const since = Date.now() - 10 * 3_600_000
  folder['state/cron.json'] = JSON.stringify({ hourly: { at: '@hourly', zone: '', since } })
  await using portico = await Portico.serve(folder)
  await noted(portico, 'hourly', 'ran')
  expect(read(portico, 'skipped')).toBe('')
  expect(read(portico, 'hourly')).toBe('ran\n')
  const remembered = JSON.parse(read(portico, 'state/cron.json'))
  expect(remembered.hourly.since).toBeGreaterThan(Date.now() - 60_000)
})

test('daemons are there before the applications, and end after them', async () => {
  const code = `
import atexit, socket
def talk(words):
    redis = socket.socket(socket.AF_UNIX)
    redis.connect("redis.sock")
    redis.sendall(words)
    return redis.recv(100)
note("talk", "import %r" % talk(b"PING\\r\\n"))
parent = os.getpid()
atexit.register(lambda: note("talk", "exit %r" % talk(b"PING\\r\\n")))
`
  const daemons = `
daemons:
  redis: { run: "redis-server --port 0 --unixsocket redis.sock --save ''", ready: "unix:redis.sock" }
`
  await using portico = await serve(code, daemons)
  expect(read(portico, 'talk')).toContain("import b'+PONG")
  const pid = async (): Promise<number> => (await portico.status()).background.daemons[0]?.pid ?? 0
  const before = await pid()
  expect((await portico.run('reload')).code).toBe(0)
  expect(await pid()).toBe(before)
  portico.signal('SIGTERM')
  await portico.exited
  expect(read(portico, 'talk')).toContain("exit b'+PONG")
  expect(portico.processes()).toEqual([])
})

test('a site without a daemon that it needs serves what it can; a reload fails', async () => {
  const broken = `
daemons: { it: { run: "echo no licence; sleep 600", ready: "log:never", start-timeout: 300ms } }
`
  await using portico = await serve('', broken)
  await portico.logged(/^daemon it was not ready within 0.3 s\nno licence/)
  expect((await ask(portico.port, '/')).text).toBe('ok')
  portico.write('site.yaml', site(broken.replace('it:', 'other:')))
  const reload = await portico.run('reload')
  expect([reload.code, reload.err]).toEqual([
    1,
    expect.stringContaining('daemon other was not ready'),
  ])
  expect((await portico.status()).background.daemons.map(({ name }) => name)).toEqual(['it'])
})

const ways = languages.flatMap((language) =>
  (['kill', 'stop'] as const).map((how) => ({ language, how, name: language.name })),
)

test.each(ways)(
  'nothing survives a supervisor that is killed, nor one that is told to stop at once: $name, $how',
  async ({ language, how }) => {
    const more = `
timers:
  - { every: 100ms, app: shop, call: "${language.call('call')}", name: call }
  - { every: 100ms, run: "trap '' TERM INT HUP; sleep 600 & sleep 600", name: deaf }
daemons:
  deaf: { run: "trap '' TERM; sleep 600 & wait", stop-timeout: 100s }
`
    const settings = `, mules: ["${language.call('mule')}"]`
    await using portico = await serve(language.deaf, more, settings, language)
    await until('everything', async () => {
      const { background } = await portico.status()
      const running = background.tasks.filter((task) => task.running.length > 0)
      return running.length === 2 && background.mules[0]?.pid
    })
    expect(portico.processes().length).toBeGreaterThan(8)
    portico.signal(how === 'kill' ? 'SIGKILL' : 'SIGTERM')
    if (how === 'stop') {
      await portico.logged(/^stopping/)
      portico.signal('SIGTERM')
    }
    await portico.exited
    await until(`everything to end: ${JSON.stringify(portico.processes())}`, () => {
      return portico.processes().length === 0
    })
  },
)

test('files that change reload the site, and the state folder is made by and for its owner', async () => {
  const more = 'watch: [{ files: "conf/*.ini", reload: true }]'
  await using portico = await serve('', more)
  mkdirSync(join(portico.folder, 'conf'))
  writeFileSync(join(portico.folder, 'conf/a.ini'), '')
  await portico.logged(/^reloading: task reload/)
  await until('the next generation', async () => (await portico.status()).generation === 2)
})
