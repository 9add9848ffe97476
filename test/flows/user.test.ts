/** Started as root with `user:`: who the processes are, whose the files are, and that all still works. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Portico, PYTHON } from './support/portico.ts'
import { kill } from './support/processes.ts'
import { ask } from './support/visitor.ts'

const USER = 'www-data'
const id = (what: string): number => Number(execFileSync('id', [what, USER], { encoding: 'utf8' }))

const APP = `
import json, os

def application(environ, start_response):
    size = len(environ["wsgi.input"].read())
    if environ["PATH_INFO"] == "/file":
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](open(__file__, "rb"))
    facts = {"size": size, "ids": [os.getuid(), os.getgid()], "home": os.environ.get("HOME")}
    print("a line of the log")
    start_response("200 OK", [])
    return [json.dumps(facts).encode()]
`

const root = process.getuid?.() === 0

test.runIf(root)(
  'server and workers are that user; everything works',
  async () => {
    const [uid, gid] = [id('-u'), id('-g')]
    const sockets = mkdtempSync(join(tmpdir(), 'portico-flow-sockets-'))
    chmodSync(sockets, 0o755)
    mkdirSync(join(sockets, 'logs'))
    chownSync(join(sockets, 'logs'), uid, gid)
    try {
      await using portico = new Portico({
        'shop.py': APP,
        'public/a.txt': 'a file',
        'site.yaml': `
listen: ["127.0.0.1:0", "unix:${sockets}/site.sock"]
threads: 2
user: ${USER}
admin: ${sockets}/admin.sock
routes: { "/": { app: shop }, "/static/": { files: ./public } }
apps: { shop: { python: shop, interpreter: ${PYTHON}, workers: 2 } }
log: { access: ${sockets}/logs/access.log }
`,
      })
      chmodSync(portico.folder, 0o755)
      await portico.ready()
      const { server, apps } = await portico.settled()
      const processes = portico.processes()
      const supervisor = processes.find(({ pid }) => pid === portico.pid)
      expect(supervisor).toMatchObject({ user: 0 })
      const others = processes.filter((process) => process !== supervisor)
      expect(others).toHaveLength(4)
      for (const { pid, user, group } of others) {
        expect({ user, group }).toEqual({ user: uid, group: gid })
        const status = readFileSync(`/proc/${pid}/status`, 'utf8')
        // Real, effective, saved and for files: there is no way back to root.
        expect(status).toMatch(new RegExp(`^Uid:(\\t${uid}){4}$`, 'm'))
        expect(status).toMatch(new RegExp(`^Gid:(\\t${gid}){4}$`, 'm'))
        expect(status).not.toMatch(/^Groups:.*\b0\b/m)
        expect(status).toMatch(/^CapEff:\t0+$/m)
      }

      expect(statSync(join(sockets, 'admin.sock')).mode & 0o777).toBe(0o600)
      const body = randomBytes(1_000_000)
      const where = [portico.port, join(sockets, 'site.sock')]
      for (const to of where) {
        const upload = await ask(to, '/', { body })
        expect(JSON.parse(upload.text)).toEqual({
          size: 1_000_000,
          ids: [uid, gid],
          home: '/var/www',
        })
        expect((await ask(to, '/file')).text).toBe(APP)
        expect((await ask(to, '/static/a.txt')).text).toBe('a file')
      }
      expect(await portico.logged(/^a line of the log$/)).toMatchObject({ app: 'shop' })
      // Another user may connect to the site's socket, and not to the admin's.
      const as = (socket: string): string =>
        execFileSync(
          'setpriv',
          [
            ...['--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups'],
            ...[
              'curl',
              '-sS',
              '--max-time',
              '5',
              '--unix-socket',
              join(sockets, socket),
              'http://a/static/a.txt',
            ],
          ],
          { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
        )
      expect(as('site.sock')).toBe('a file')
      expect(() => as('admin.sock')).toThrow()

      const log = join(sockets, 'logs', 'access.log')
      expect(statSync(log)).toMatchObject({ uid, gid })
      await until('the access log', () => readFileSync(log, 'utf8').split('\n').length > 6)

      // What comes back later is that user as well.
      kill(server.pid)
      kill(apps.shop?.workers[0]?.pid ?? 0)
      expect((await ask(portico.port, '/static/a.txt')).text).toBe('a file')
      expect(await portico.run('reload')).toMatchObject({ code: 0 })
      await until('the old generation to end', () => portico.processes().length === 5)
      const later = portico.processes().filter(({ pid }) => pid !== portico.pid)
      expect(new Set(later.map(({ user }) => user))).toEqual(new Set([uid]))
      expect(JSON.parse((await ask(portico.port, '/', { body })).text).size).toBe(1_000_000)
    } finally {
      rmSync(sockets, { recursive: true })
    }
  },
  30_000,
)

test.runIf(root)('without `user:`, root is warned', async () => {
  await using portico = await Portico.serve({
    'site.yaml': 'listen: "127.0.0.1:0"\nroutes: { "/": { respond: pong } }\n',
  })
  await portico.logged(/running as root: set `user:`/)
})

test.runIf(root)('an access log that this user may not write: one clear message', async () => {
  await using portico = new Portico({
    'site.yaml': `
listen: "127.0.0.1:0"
user: ${USER}
log: { access: ./access.log }
routes: { "/": { respond: pong } }
`,
  })
  expect(await portico.exited).toEqual({ code: 1, signal: null })
  const errors = portico.log.filter(({ level }) => level === 'error')
  expect(errors).toHaveLength(1)
  expect(errors[0]?.message).toMatch(
    /^log\.access: .*\/access\.log cannot be opened as user www-data: permission denied$/,
  )
})
