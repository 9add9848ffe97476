/** Applications with users, walls, limits and secrets of their own, started as root. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Portico, PYTHON } from './support/portico.ts'
import { kill } from './support/processes.ts'
import { ask } from './support/visitor.ts'

const root = process.getuid?.() === 0
const uid = (user: string): number => Number(execFileSync('id', ['-u', user], { encoding: 'utf8' }))

/** Tells who it is, and does what it is asked to: one JSON object either way. */
const APP = `
import json, os, socket

def attempt(work):
    try:
        return work()
    except Exception as error:
        return type(error).__name__ + " " + str(getattr(error, "errno", ""))

def reach(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(2)
    s.connect(path)
    return "reached"

def network():
    s = socket.socket()
    s.settimeout(2)
    s.connect(("127.0.0.1", int(os.environ["PROBE_PORT"])))
    return "reached"

def write(path):
    open(path, "w").close()
    return "written"

hoard = []

def application(environ, start_response):
    body = environ["wsgi.input"].read()
    path = environ["PATH_INFO"]
    start_response("200 OK", [("Content-Type", "application/json")])
    if path == "/file":
        return environ["wsgi.file_wrapper"](open(__file__, "rb"))
    if path == "/do":
        told = {}
        for what, target in json.loads(body):
            work = {"reach": reach, "read": lambda p: open(p, "rb").read().decode("latin1"), "list": os.listdir,
                    "write": write, "env": os.environ.get, "network": lambda _: network(),
                    "privileges": lambda _: open("/proc/self/status").read()}[what]
            told[what + " " + target] = attempt(lambda: work(target))
        return [json.dumps(told).encode()]
    if path == "/eat":
        hoard.append(b"1" * 200_000_000)
    if path == "/fork":
        children = []
        try:
            for _ in range(100):
                pid = os.fork()
                if pid == 0:
                    import time
                    time.sleep(30)
                    os._exit(0)
                children.append(pid)
        except OSError as error:
            pass
        for pid in children:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        return [json.dumps(len(children)).encode()]
    return [json.dumps({"uid": os.getuid(), "size": len(body), "cwd": os.getcwd()}).encode()]
`
const NODE = `
import { createServer } from 'node:http'
createServer((req, res) => res.end(JSON.stringify({ uid: process.getuid() }))).listen(process.env.PORT)
`
const PHP =
  '<?php echo json_encode(["uid" => posix_getuid(), "size" => strlen(file_get_contents("php://input"))]);'

type Wish = readonly [what: string, target: string]

async function told(portico: Portico, path: string, wishes: readonly Wish[]) {
  const { text } = await ask(portico.port, `${path}do`, {
    method: 'POST',
    body: JSON.stringify(wishes),
  })
  return JSON.parse(text) as Record<string, unknown>
}

/** Every path below `folder`. */
function everything(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    return lstatSync(path).isDirectory() ? [path, ...everything(path)] : [path]
  })
}

function runDirOf(portico: Portico): string {
  const name = readdirSync('/run/portico').find((each) => each.startsWith(`site-${portico.pid}-`))
  return join('/run/portico', name ?? '')
}

test.runIf(root)(
  'each is its own user, works as ever, and reaches nothing of the others',
  async () => {
    await using portico = new Portico({
      'one/shop.py': APP,
      'two/shop.py': APP,
      'three/server.mjs': NODE,
      'four/index.php': PHP,
      key: 'hunter2\n',
      'site.yaml': `
listen: "127.0.0.1:0"
threads: 2
user: www-data
routes: { /one/: { app: one }, /two/: { app: two }, /three/: { app: three }, /four/: { app: four } }
apps:
  one: { python: shop, dir: one, interpreter: ${PYTHON}, workers: 1, user: nobody, secrets: { KEY: { file: key, as: file } } }
  # The same group as the first's, and as the server's: groups are no walls here.
  two: { python: shop, dir: two, interpreter: ${PYTHON}, workers: 1, user: daemon, group: www-data }
  three: { node: three/server.mjs, workers: 1, user: games }
  four: { php: four, workers: 2, user: backup }
`,
    })
    for (const name of ['', 'one', 'two', 'three', 'four'])
      chmodSync(join(portico.folder, name), 0o755)
    chmodSync(join(portico.folder, 'key'), 0o600)
    await portico.ready()
    await portico.settled()
    const users = { one: 'nobody', two: 'daemon', three: 'games', four: 'backup' }
    const body = randomBytes(1_000_000)
    for (const [name, user] of Object.entries(users)) {
      const { text } = await ask(portico.port, `/${name}/`, { body })
      expect(JSON.parse(text), name).toMatchObject({ uid: uid(user) })
      if (name !== 'three') expect(JSON.parse(text), name).toMatchObject({ size: 1_000_000 })
    }
    expect((await ask(portico.port, '/one/file')).text).toBe(APP)

    const folder = runDirOf(portico)
    const spool = readdirSync('/tmp').find((each) =>
      each.startsWith(`portico-bodies-${portico.pid}-`),
    )
    const paths = [...everything(folder), ...everything(join('/tmp', spool ?? ''))]
    const sockets = paths.filter((path) => lstatSync(path).isSocket())
    const wishes = [folder, ...paths].map(
      (path): Wish => [sockets.includes(path) ? 'reach' : 'read', path],
    )
    const folders = [folder, ...paths].filter((path) => lstatSync(path).isDirectory())
    const lists = folders.map((path): Wish => ['list', path])
    for (const [index, name] of ['one', 'two'].entries()) {
      const answers = await told(portico, `/${name}/`, [...wishes, ...lists])
      const own = join(folder, `1.${index}`)
      const got = Object.entries(answers)
        .filter(([, answer]) => !/^(PermissionError|IsADirectoryError)/.test(String(answer)))
        .map(([wish]) => wish)
        .sort()
      const expected = [
        `list ${join(own, 'meet')}`,
        `list ${join('/tmp', spool ?? '', `1.${index}`)}`,
        ...['log.sock', 'meet/link-0.sock', 'meet/link-1.sock'].map(
          (each) => `reach ${own}/${each}`,
        ),
        `reach ${folder}/commons.sock`,
        ...(name === 'one' ? [`read ${own}/secrets/KEY`] : []),
      ]
      expect(got, name).toEqual(expected.sort())
    }
    // Nor does anybody else on the machine, whatever group.
    for (const socket of sockets) {
      const connect = [
        '-c',
        'import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])',
      ]
      const others = [
        '--reuid=mail',
        '--regid=www-data',
        '--clear-groups',
        PYTHON,
        ...connect,
        socket,
      ]
      expect(() => execFileSync('setpriv', others, { stdio: 'ignore' }), socket).toThrow()
    }

    // What comes back later, and the next generation, are the same.
    const before = await portico.status()
    kill(before.apps.one?.workers[0]?.pid ?? 0)
    kill(before.server.pid)
    await until('the worker to come back', async () =>
      (await ask(portico.port, '/one/', { body })).text.includes('1000000'),
    )
    expect(await portico.run('reload')).toMatchObject({ code: 0 })
    for (const [name, user] of Object.entries(users)) {
      expect(JSON.parse((await ask(portico.port, `/${name}/`)).text)).toMatchObject({
        uid: uid(user),
      })
    }
    await until(
      'the old quarters to go',
      () => !everything(folder).some((path) => path.includes('/1.')),
    )
    expect((await portico.status()).apps.one).toMatchObject({
      isolation: { user: 'nobody', walls: '' },
      usage: { processes: 2 },
    })
    portico.signal('SIGTERM')
    await portico.exited
    expect(
      readdirSync('/tmp').filter((name) => name.startsWith(`portico-bodies-${portico.pid}-`)),
    ).toEqual([])
  },
  60_000,
)

test.runIf(root)(
  'a worker cannot pass for another application’s, nor send the server to a socket that is not its own',
  async () => {
    await using portico = new Portico({
      'shop.py': APP,
      'evil.py': `
import json, os, socket, struct, sys, threading

def hello(path, **facts):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    data = json.dumps(dict({"slot": 0, "pid": os.getpid(), "capacity": 1, "streams": False, "http": ""}, **facts)).encode()
    s.sendall(struct.pack("<IIBBH", len(data), 0, 1, 0, 0) + data)
    s.settimeout(5)
    try:
        return "closed" if s.recv(1) == b"" else "served"
    except ConnectionError:
        return "closed"
    except OSError:
        return "open"

def application(environ, start_response):
    start_response("200 OK", [])
    meet = [fd for fd in os.listdir("/run/portico")]
    link = environ["QUERY_STRING"]
    trap = os.path.join(os.path.dirname(link), "http-1.sock")
    if not os.path.islink(trap):
        os.symlink("${'/var/run/secret.sock'}", trap)
    return [json.dumps([
        hello(link, app="shop"),
        hello(link, app="evil", slot=1, http="/run/portico/admin.sock"),
        hello(link, app="evil", slot=1, http=trap),
    ]).encode()]
`,
      'site.yaml': `
listen: "127.0.0.1:0"
threads: 1
routes: { /: { app: shop }, /evil: { app: evil } }
apps:
  shop: { python: shop, interpreter: ${PYTHON}, workers: 1 }
  evil: { python: evil, interpreter: ${PYTHON}, workers: 1, user: nobody }
`,
    })
    chmodSync(portico.folder, 0o755)
    await portico.ready()
    await portico.settled()
    const link = join(runDirOf(portico), '1.1/meet/link-0.sock')
    expect(JSON.parse((await ask(portico.port, `/evil?${link}`)).text)).toEqual([
      'closed',
      'closed',
      'closed',
    ])
    expect(JSON.parse((await ask(portico.port, '/')).text).uid).toBe(0)
  },
  60_000,
)

test.runIf(root)(
  'walls: a read-only file system, a /tmp of its own, no network',
  async () => {
    writeFileSync('/tmp/portico-outside', 'x')
    onTestFinished(() => rmSync('/tmp/portico-outside'))
    await using portico = new Portico({
      'shop.py': APP,
      'data/here': '',
      'server.mjs': NODE,
      'php/index.php': PHP,
      'site.yaml': `
listen: "127.0.0.1:0"
threads: 1
user: www-data
routes: { /: { app: shop }, /node/: { app: node }, /php/: { app: php } }
apps:
  shop: { python: shop, interpreter: ${PYTHON}, workers: 1, read-only: true, writable: data, network: none }
  node: { node: server.mjs, workers: 1, private-tmp: true, user: games }
  php: { php: php, workers: 1, read-only: true }
`,
    })
    chmodSync(portico.folder, 0o755)
    chmodSync(join(portico.folder, 'data'), 0o777)
    await portico.ready()
    await portico.settled()
    const { folder } = portico
    const answers = await told(portico, '/', [
      ['write', '/etc/portico-test'],
      ['write', `${folder}/new.py`],
      ['write', `${folder}/data/new`],
      ['write', '/tmp/mine'],
      ['list', '/tmp'],
      ['network', ''],
      ['privileges', ''],
    ])
    expect(answers).toMatchObject({
      'write /etc/portico-test': 'OSError 30',
      [`write ${folder}/new.py`]: 'OSError 30',
      [`write ${folder}/data/new`]: 'written',
      'write /tmp/mine': 'written',
      'privileges ': expect.stringMatching(/NoNewPrivs:\t1/),
    })
    expect(String(answers['list /tmp'])).not.toMatch(/portico-outside/)
    expect(answers['network ']).not.toBe('reached')
    const body = randomBytes(1_000_000)
    expect(JSON.parse((await ask(portico.port, '/', { body })).text)).toMatchObject({
      size: 1_000_000,
    })
    expect(JSON.parse((await ask(portico.port, '/node/')).text)).toEqual({ uid: uid('games') })
    expect(JSON.parse((await ask(portico.port, '/php/', { body })).text)).toMatchObject({
      size: 1_000_000,
    })
    expect((await portico.status()).apps.shop).toMatchObject({ isolation: { walls: 'bubblewrap' } })
    expect(await portico.run('reload')).toMatchObject({ code: 0 })
    portico.signal('SIGTERM')
    await portico.exited
    expect(portico.messages).not.toMatch(/did not end in time/)
    expect(portico.processes()).toEqual([])
  },
  60_000,
)

/** A folder with Python in it and nothing else. */
function makeJail(folder: string): void {
  const run = (script: string): string[] =>
    execFileSync('sh', ['-c', script, 'jail', folder, PYTHON], { encoding: 'utf8' })
      .split('\n')
      .filter(Boolean)
  for (const link of ['lib', 'lib64']) {
    if (lstatSync(`/${link}`).isSymbolicLink()) {
      symlinkSync(readlinkSync(`/${link}`), join(folder, link))
    }
  }
  const paths = [
    PYTHON,
    ...run(`"$2" -c 'import sys; print(sys.prefix + "/lib/python%d.%d" % sys.version_info[:2])'`),
    ...run(
      `ldd "$2" $(find /usr/lib/python3* -name '_ctypes*.so' -o -name 'pyexpat*.so') | grep -o '/[^ :]*' | grep '/lib'`,
    ),
  ]
  for (const path of new Set(paths.flatMap((path) => [placeOf(path), realpathSync(path)]))) {
    run(`mkdir -p "$1${dirname(path)}" && cp -a --reflink=auto ${path} "$1${dirname(path)}"`)
  }
}

/** Without links among the folders on the way. */
function placeOf(path: string): string {
  return join(realpathSync(dirname(path)), basename(path))
}

test.runIf(root)(
  'chroot: with the kernel’s tools alone, and within bubblewrap',
  async () => {
    const jail = mkdtempSync(join(tmpdir(), 'portico-jail-'))
    onTestFinished(() => rmSync(jail, { recursive: true }))
    makeJail(jail)
    mkdirSync(join(jail, 'app'))
    writeFileSync(join(jail, 'app/shop.py'), APP)
    chmodSync(jail, 0o755)
    chmodSync(join(jail, 'app'), 0o777)
    await using portico = await Portico.serve({
      'site.yaml': `
listen: "127.0.0.1:0"
threads: 1
routes: { /: { app: plain }, /walled/: { app: walled } }
apps:
  plain: { python: shop, dir: ${jail}/app, interpreter: ${PYTHON}, workers: 1, user: nobody, chroot: ${jail} }
  walled: { python: shop, dir: ${jail}/app, interpreter: ${PYTHON}, workers: 1, user: nobody, chroot: ${jail}, read-only: true, writable: ${jail}/app, network: none }
`,
    })
    await portico.settled()
    const body = randomBytes(1_000_000)
    for (const path of ['/', '/walled/']) {
      const { text } = await ask(portico.port, path, { body })
      expect(JSON.parse(text)).toEqual({ uid: uid('nobody'), size: 1_000_000, cwd: '/app' })
      const answers = await told(portico, path, [
        ['list', '/app'],
        ['list', '/etc'],
        ['read', '/etc/passwd'],
        ['write', '/app/new'],
        ['network', ''],
      ])
      expect(answers).toMatchObject({
        'list /app': expect.arrayContaining(['shop.py']),
        'list /etc': 'FileNotFoundError 2',
        'read /etc/passwd': 'FileNotFoundError 2',
        'write /app/new': 'written',
      })
    }
    const { apps } = await portico.status()
    expect(apps.plain).toMatchObject({ isolation: { user: 'nobody', walls: 'chroot' } })
    expect(apps.walled).toMatchObject({ isolation: { walls: 'bubblewrap' } })
  },
  60_000,
)

const cgroups = root && existsSync('/sys/fs/cgroup/memory/cgroup.procs')

test.runIf(cgroups)(
  'limits: who takes too much memory is killed, and that is what is said; forks end where they shall',
  async () => {
    await using portico = await Portico.serve({
      'shop.py': APP,
      'site.yaml': `
listen: "127.0.0.1:0"
threads: 1
routes: { /: { app: shop } }
apps:
  shop: { python: shop, interpreter: ${PYTHON}, workers: 1, limits: { memory: 64MB, pids: 20, cpu: 1, files: 200, core: 0 } }
`,
    })
    await portico.settled()
    expect(JSON.parse((await ask(portico.port, '/fork')).text)).toBeLessThan(19)
    expect((await ask(portico.port, '/eat')).status).toBe(502)
    await portico.logged(/worker died \(out of memory: over limits.memory/)
    expect((await ask(portico.port, '/')).status).toBe(200)
    const { shop } = (await portico.settled()).apps
    expect(shop).toMatchObject({
      reasons: { oom: 1 },
      isolation: {
        user: '',
        limits: { memory: 'group', pids: 'group', cpu: 'group', files: 'process', core: 'process' },
      },
    })
    expect(shop?.usage?.processes).toBe(2)
    expect(shop?.usage?.memory).toBeLessThan(64 * 1024 ** 2)
    const bounds = readFileSync(`/proc/${shop?.workers[0]?.pid}/limits`, 'utf8')
    expect(bounds).toMatch(/Max open files\s+200\s+200/)
    const group = /^\d+:memory:(.*)$/m.exec(
      readFileSync(`/proc/${shop?.parent}/cgroup`, 'utf8'),
    )?.[1]
    expect(group).toMatch(`portico-${portico.pid}-1-shop`)
    portico.signal('SIGTERM')
    await portico.exited
    await until('the group to go', () => !existsSync(`/sys/fs/cgroup/memory${group}`))
  },
  60_000,
)

test('limits that cannot be: a warning, and with `strict` an error', async () => {
  await using portico = await Portico.serve({
    'shop.py': APP,
    'site.yaml': `
listen: "127.0.0.1:0"
threads: 1
routes: { /: { app: shop }, /strict/: { app: strict } }
apps:
  shop: { python: shop, interpreter: ${PYTHON}, workers: 1, limits: { files: 999999999 } }
  strict: { python: shop, interpreter: ${PYTHON}, workers: 1, limits: { files: 999999999, strict: true } }
`,
  })
  await portico.logged(
    /^shop: limits\.files: 999999999 is more than the \d+ that this process may give/,
  )
  await portico.logged(/^application strict did not load: limits\.files: 999999999 is more/)
  expect((await ask(portico.port, '/')).status).toBe(200)
  expect((await ask(portico.port, '/strict/')).status).toBe(500)
})

test('secrets reach their application, and nobody else', async () => {
  const SECRET = 'hunter2-0815'
  await using portico = await Portico.serve(
    {
      'shop.py': APP,
      key: `${SECRET}\n`,
      env: `FROM_FILE="${SECRET}"\nEMPTY=\n`,
      'credentials/db': SECRET,
      'site.yaml': `
listen: "127.0.0.1:0"
threads: 1
routes: { /: { app: shop }, /lost/: { app: lost } }
apps:
  shop:
    python: shop
    interpreter: ${PYTHON}
    workers: 1
    env-file: env
    secrets: { KEY: key, CERT: { file: key, as: file }, DB: "credential:db" }
  lost: { python: shop, interpreter: ${PYTHON}, workers: 1, secrets: { GONE: nowhere } }
`,
    },
    { env: { CREDENTIALS_DIRECTORY: '' } },
  )
  await portico.logged(/^application shop did not load: the secret DB is a credential of systemd/)
  await portico.logged(
    /^application lost did not load: the secret GONE cannot be read from .*nowhere \(ENOENT\)/,
  )
  const again = new Portico(
    {
      'shop.py': APP,
      key: `${SECRET}\n`,
      env: `FROM_FILE="${SECRET}"\nEMPTY=\n`,
      'site.yaml': readFileSync(join(portico.folder, 'site.yaml'), 'utf8'),
    },
    { env: { CREDENTIALS_DIRECTORY: join(portico.folder, 'credentials') } },
  )
  await using site = again
  await site.ready()
  await until('the application', async () => (await site.status()).apps.shop?.connected === 1)
  const answers = await told(site, '/', [
    ['env', 'KEY'],
    ['env', 'DB'],
    ['env', 'FROM_FILE'],
    ['env', 'EMPTY'],
    ['env', 'CERT_FILE'],
  ])
  expect(answers).toMatchObject({
    'env KEY': SECRET,
    'env DB': SECRET,
    'env FROM_FILE': SECRET,
    'env EMPTY': '',
  })
  const file = String(answers['env CERT_FILE'])
  expect(readFileSync(file, 'utf8')).toBe(`${SECRET}\n`)
  expect(lstatSync(file).mode & 0o777).toBe(0o400)
  const shown = [
    site.messages,
    site.out,
    JSON.stringify(await site.status()),
    ...(await Promise.all(
      [['check'], ['check', '--plan'], ['check', '--json', '--plan']].map(
        async ([command = '', ...more]) => {
          const { out, err } = await site.run(command, ...more)
          return out + err
        },
      ),
    )),
    ...site.processes().map(({ command }) => command),
  ]
  for (const text of shown) expect(text).not.toContain(SECRET)
  // Of ours, only the application's own processes have it in their environment.
  const { apps } = await site.status()
  const holders = [apps.shop?.parent, ...(apps.shop?.workers ?? []).map(({ pid }) => pid)]
  for (const { pid } of site.processes()) {
    const has = readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`KEY=${SECRET}`)
    expect(has).toBe(holders.includes(pid))
  }
}, 60_000)
