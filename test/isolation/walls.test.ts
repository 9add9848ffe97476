import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { enforce, V8_RESERVES } from '../../src/isolation/limits.ts'
import { readSecret, revealSecrets, Secret } from '../../src/isolation/secrets.ts'
import { bubblewrap, isBelow, within } from '../../src/isolation/walls.ts'
import { containerArguments, passVariables } from '../../src/runtimes/container/arguments.ts'
import { pinSocket } from '../../src/server/pin.ts'
import type { ContainerAppPlan, IsolationPlan } from '../../src/site/plan.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-walls-'))
afterAll(() => rmSync(folder, { recursive: true }))

const NO_LIMITS = { memory: -1, cpu: -1, pids: -1, files: -1, core: -1, strict: false }
const PLAIN: IsolationPlan = {
  user: '',
  group: '',
  chroot: '',
  readOnly: [],
  writable: [],
  privateTmp: false,
  network: 'host',
  sandbox: 'auto',
  noNewPrivileges: true,
  limits: NO_LIMITS,
  secrets: [],
}
const NEEDS = { shown: ['/opt/portico'], used: ['/run/portico/site/1.0'], own: ['/srv/app'] }

describe('bubblewrap’s arguments', () => {
  test('read-only: all but what is writable, with a /tmp of its own', () => {
    const plan = { ...PLAIN, readOnly: ['/'], writable: ['/srv/app/data'], privateTmp: true }
    expect(bubblewrap(plan, NEEDS, '').join(' ')).toBe(
      '--ro-bind / / --dev-bind /dev /dev --perms 1777 --tmpfs /tmp --perms 1777 --tmpfs /var/tmp --bind /srv/app/data /srv/app/data --bind /run/portico/site/1.0 /run/portico/site/1.0',
    )
  })

  test('what is needed and lies in /tmp is seen all the same', () => {
    const plan = { ...PLAIN, privateTmp: true }
    const needs = { ...NEEDS, own: ['/tmp/x/app'] }
    expect(bubblewrap(plan, needs, '').join(' ')).toContain(
      '--tmpfs /var/tmp --perms 0755 --dir /tmp/x --bind /tmp/x/app /tmp/x/app',
    )
  })

  test('a root that is entered later: paths below it, read-only when all is in place', () => {
    const plan = { ...PLAIN, chroot: folder, readOnly: ['/'], writable: [`${folder}/data`] }
    const args = bubblewrap(plan, { ...NEEDS, own: [] }, folder).join(' ')
    expect(args).toContain(`--bind / / --dev-bind /dev /dev`)
    expect(args).toContain(`--ro-bind /opt/portico ${folder}/opt/portico`)
    expect(args).toContain(`--bind ${folder}/data ${folder}/data`)
    expect(args.endsWith(`--remount-ro ${folder}`)).toBe(true)
  })

  test('a root that is entered at once', () => {
    const plan = { ...PLAIN, chroot: folder }
    const args = bubblewrap(plan, { ...NEEDS, own: [] }, '').join(' ')
    expect(args).toMatch(`--bind ${folder} / --perms 0755 --dir /opt `)
    expect(args).toContain(' --dev /dev ')
    expect(args).toContain('--bind /run/portico/site/1.0 /run/portico/site/1.0')
  })

  test('paths inside and outside', () => {
    expect(within('/srv/jail', '/srv/jail/app')).toBe('/app')
    expect(within('/srv/jail', '/srv/jail')).toBe('/')
    expect(within('/srv/jail', '/srv/jailer')).toBe('/srv/jailer')
    expect(isBelow('/a', '/')).toBe(true)
  })
})

describe('limits', () => {
  test('without control groups: each process, its user, or nothing, and it is told', () => {
    const limits = { ...NO_LIMITS, memory: 2 ** 28, cpu: 1, pids: 50, files: 100, core: 0 }
    const found = enforce(limits, null, true, 0)
    expect(found.by).toEqual({
      memory: 'process',
      pids: 'user',
      cpu: 'none',
      files: 'process',
      core: 'process',
    })
    expect(found.before.slice(1)).toEqual([
      '--data=268435456',
      '--nproc=50',
      '--nofile=100',
      '--core=0',
      '--',
    ])
    expect(found.complaints.map((each) => each.split(':')[0])).toEqual([
      'limits.memory',
      'limits.pids',
      'limits.cpu',
    ])
    const [prlimit = '', ...args] = found.before
    const shown = execFileSync(prlimit, [...args, 'sh', '-c', 'ulimit -n; ulimit -c; ulimit -d'])
    expect(String(shown)).toBe('100\n0\n262144\n')
    expect(enforce({ ...NO_LIMITS, pids: 5 }, null, false, 0).by).toEqual({ pids: 'none' })
  })

  test('Node reserves more than it uses: it starts all the same', () => {
    const found = enforce({ ...NO_LIMITS, memory: 2 ** 26 }, null, true, V8_RESERVES)
    const [prlimit = '', ...args] = found.before
    execFileSync(prlimit, [...args, process.execPath, '-e', '0'])
    expect(found.complaints[0]).toMatch(/64MB of its own, beside the 640MB that V8 reserves/)
  })

  test('with them', () => {
    const controllers = new Set(['memory', 'cpu', 'pids'] as const)
    const group = { controllers, doors: [], oomKills: () => 0, usage: () => null, remove: () => {} }
    const found = enforce({ ...NO_LIMITS, memory: 1, cpu: 1, pids: 1 }, group, false, 0)
    expect(found).toEqual({
      by: { memory: 'group', cpu: 'group', pids: 'group' },
      before: [],
      complaints: [],
    })
  })
})

describe('secrets', () => {
  const plan = { name: 'KEY', file: join(folder, 'key'), credential: '', as: 'env' } as const

  test('are not printed by accident', async () => {
    const secret = new Secret('hunter2')
    const { inspect } = await import('node:util')
    const shown = [
      `${secret}`,
      JSON.stringify({ secret }),
      inspect({ secret }, { showHidden: true }),
    ]
    for (const text of shown) expect(text).not.toContain('hunter2')
    expect(secret.reveal()).toBe('hunter2')
  })

  test('are read whole; a variable has neither the last line feed nor NUL', () => {
    writeFileSync(plan.file, 'caf\u00e9\n', 'utf8')
    expect(revealSecrets([plan], '', null)).toEqual({ KEY: 'caf\u00e9' })
    writeFileSync(plan.file, 'hunter2\0')
    expect(() => revealSecrets([plan], '', null)).toThrow(/^the secret KEY holds NUL/)
    expect(revealSecrets([{ ...plan, as: 'file' }], folder, null)).toEqual({
      KEY_FILE: join(folder, 'KEY'),
    })
    // Once more, over a file that nobody may write to.
    expect(revealSecrets([{ ...plan, as: 'file' }], folder, null)).toBeDefined()
  })

  test('an error names the file, never the value', () => {
    expect(() => readSecret({ ...plan, file: join(folder, 'none') })).toThrow(
      /^the secret KEY cannot be read from .*none \(ENOENT\)$/,
    )
    writeFileSync(plan.file, 'hunter2'.repeat(200_000))
    expect(() => readSecret(plan)).toThrow(/larger than 1MB/)
  })
})

test('a socket is held on to as it is: no links, no other folder, no other user', async () => {
  const path = join(folder, 'app.sock')
  const server = createServer((connection) => connection.end('hello'))
  await new Promise<void>((resolve) => server.listen(path, resolve))
  try {
    chmodSync(path, 0o666)
    symlinkSync(path, join(folder, 'link.sock'))
    writeFileSync(join(folder, 'file.sock'), '')
    expect(pinSocket(join(folder, 'link.sock'), folder)).toBeNull()
    expect(pinSocket(join(folder, 'file.sock'), folder)).toBeNull()
    expect(pinSocket(join(folder, 'none.sock'), folder)).toBeNull()
    expect(pinSocket(path, tmpdir())).toBeNull()
    expect(pinSocket(path, folder, 12_345)).toBeNull()
    const pinned = pinSocket(path, folder, process.getuid?.())
    // What comes in its place is another.
    rmSync(path)
    symlinkSync('/nowhere', path)
    const { connect } = await import('node:net')
    const said = await new Promise<string>((resolve, reject) => {
      connect(pinned!.path)
        .on('data', (bytes) => resolve(String(bytes)))
        .on('error', reject)
    })
    expect(said).toBe('hello')
    pinned!.close()
  } finally {
    server.close()
  }
})

test('a container’s command line: no value of a variable is in it', () => {
  const app: ContainerAppPlan = {
    kind: 'container',
    name: 'shop',
    dir: '/',
    env: { TOKEN: 'hunter2' },
    workers: 1,
    deadlineMs: 0,
    softDeadlineMs: 0,
    queueDeadlineMs: 0,
    startTimeoutMs: 1000,
    queue: 10,
    image: 'ghost:5',
    command: ['node', 'index.js'],
    port: 2368,
    socket: '',
    protocol: 'http',
    volumes: ['/srv/data:/data:rw'],
    engine: 'auto',
    pull: 'missing',
    isolation: { ...PLAIN, readOnly: ['/'], limits: { ...NO_LIMITS, memory: 2 ** 28, cpu: 0.5 } },
  }
  const place = {
    name: 'portico-1',
    label: '1.2',
    folder: '/run/x',
    user: '33:33',
    variables: ['TOKEN'],
    files: { '/run/x.secrets/CERT': '/run/secrets/CERT' },
  }
  expect(containerArguments(app, place).join(' ')).toBe(
    'run --rm --name portico-1 --label portico.supervisor=1.2 --label portico.application=shop --sig-proxy=true --pull missing --env TOKEN --volume /srv/data:/data:rw --volume /run/x.secrets/CERT:/run/secrets/CERT:ro --publish 127.0.0.1::2368 --user 33:33 --read-only --tmpfs /tmp --security-opt no-new-privileges --memory 268435456b --cpus 0.5 ghost:5 node index.js',
  )
  const socket = { ...app, port: 0, socket: '/run/app/app.sock' }
  expect(containerArguments(socket, place).join(' ')).toContain('--volume /run/x:/run/app:rw')
})

test('a container’s variables command its engine in no way', () => {
  const env = { TOKEN: 'hunter2', LD_PRELOAD: '/x.so', DOCKER_HOST: 'tcp://x', http_proxy: 'y' }
  const passed = passVariables(env, ['TOKEN'])
  expect(passed.env).toEqual({ TOKEN: 'hunter2' })
  expect(passed.variables).toEqual([
    'TOKEN',
    'LD_PRELOAD=/x.so',
    'DOCKER_HOST=tcp://x',
    'http_proxy=y',
  ])
  expect(() => passVariables(env, ['DOCKER_HOST'])).toThrow(/would command the engine/)
})
