/** uWSGI's stats: the same keys and types as a real uWSGI tells (Debian's), and what its readers make of it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Self, type UwsgiStats, uwsgiStats } from '../../src/stats/uwsgi.ts'
import type { RequestsStatus } from '../../src/supervisor/status.ts'
import { ask } from '../flows/support/visitor.ts'
import { until } from '../supervisor/site.ts'
import { appStatus, siteStatus, timesOf, workerStatus } from './site-status.ts'

const self: Self = { uid: 33, gid: 33, cwd: '/srv', now: 1_795_000_000 }

const inHand: RequestsStatus = {
  total: 1,
  requests: [
    {
      method: 'GET',
      target: '/cart?token=secret',
      host: 'www.example.com',
      route: { host: '*', path: '/' },
      app: 'shop',
      pid: 4711,
      slot: 0,
      ageMs: 2_000,
      peer: '10.0.0.1',
      sent: 0,
      status: 0,
      generation: 3,
    },
  ],
}

/** What is there as `key: type`, one set for each level; the elements of a list share theirs. */
function shapeOf(value: unknown, path = '', shape = new Map<string, Set<string>>()): typeof shape {
  if (Array.isArray(value)) for (const one of value) shapeOf(one, `${path}[]`, shape)
  else if (typeof value === 'object' && value !== null) {
    const keys = shape.get(path) ?? new Set()
    shape.set(path, keys)
    for (const [key, one] of Object.entries(value)) {
      keys.add(`${key}: ${Array.isArray(one) ? 'list' : typeof one}`)
      shapeOf(one, `${path}.${key}`, shape)
    }
  }
  return shape
}

const APP = `
import time
def application(environ, start_response):
    if environ['PATH_INFO'] == '/slow': time.sleep(5)
    start_response('200 OK', [])
    return [b'hello']
`

/** A real uWSGI's answer with one request done and one in hand. */
async function realStats(): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-uwsgi-'))
  writeFileSync(join(folder, 'app.py'), APP)
  const [http, stats] = [join(folder, 'http.sock'), join(folder, 'stats.sock')]
  const args = ['--http-socket', http, '--stats', stats, '--master', '--processes', '2']
  const child = spawn('uwsgi_python3', [...args, '--wsgi-file', 'app.py'], {
    cwd: folder,
    stdio: 'ignore',
  })
  const ended = once(child, 'exit')
  try {
    await until('uWSGI', async () => (await ask(http, '/').catch(() => null))?.status === 200)
    const slow = connect(http)
    slow.on('error', () => {})
    slow.write('GET /slow?x=1 HTTP/1.1\r\nHost: a\r\n\r\n')
    const busy = await until('a request in hand', async () => {
      const text = await readAll(stats)
      return text.includes('"in_request":1') && text
    })
    slow.destroy()
    return JSON.parse(busy)
  } finally {
    child.kill('SIGKILL')
    await ended
    rmSync(folder, { recursive: true })
  }
}

function readAll(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(path)
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.on('error', reject)
    socket.on('end', () => resolve(text))
  })
}

test('has the keys and types that a real uWSGI has, at each level', async () => {
  const real = shapeOf(await realStats())
  const ours = shapeOf(JSON.parse(JSON.stringify(uwsgiStats(siteStatus(), inHand, self))))
  // We have no locks to tell of.
  real.delete('.locks[]')
  expect(ours).toEqual(real)
}, 20_000)

/** As uwsgitop reads it: every field that it takes, with what it does to it. */
function top(stats: UwsgiStats): object[] {
  expect(`${stats.version} ${stats.cwd} ${stats.listen_queue}`).toBe('portico-0.1.0 /srv 4')
  expect([stats.uid, stats.gid, stats.pid]).toEqual([33, 33, 4600])
  const total = stats.workers.reduce((sum, { requests }) => sum + requests, 0)
  return stats.workers.map((worker) => ({
    id: worker.id,
    share: total === 0 ? 0 : (100 * worker.requests) / total,
    pid: worker.pid,
    requests: worker.requests,
    exceptions: worker.exceptions,
    status: worker.status,
    averageMs: worker.avg_rt / 1000,
    runMs: worker.running_time / 1000,
    spawned: worker.last_spawn,
    respawned: worker.respawn_count,
    harakiri: worker.harakiri_count,
    tx: worker.tx,
    busyCores: worker.cores.filter((core) => core.in_request).length,
  }))
}

describe('a reader', () => {
  test('sees each worker of our own', () => {
    const idle = workerStatus({ slot: 1, pid: 4712, requests: 300, inHand: 0, restarts: 0 })
    const status = siteStatus({ apps: { shop: appStatus({ workers: [workerStatus(), idle] }) } })
    expect(top(uwsgiStats(status, inHand, self))).toEqual([
      {
        id: 1,
        share: 25,
        pid: 4711,
        requests: 100,
        exceptions: 3,
        status: 'busy',
        averageMs: 2.5,
        runMs: 250,
        spawned: self.now - 60,
        respawned: 3,
        harakiri: 1,
        tx: 5_000,
        busyCores: 1,
      },
      expect.objectContaining({ id: 2, share: 75, status: 'idle', respawned: 1, busyCores: 0 }),
    ])
  })

  test('sees the same worker under the same number, though others come and go', () => {
    const second = workerStatus({ slot: 1, pid: 4712 })
    const ids = (shop: object, blog: object): number[] =>
      uwsgiStats(
        siteStatus({ apps: { shop: appStatus(shop), blog: appStatus(blog) } }),
        inHand,
        self,
      ).workers.map(({ id }) => id)
    expect(ids({ workers: [workerStatus(), second] }, {})).toEqual([1, 2, 3])
    expect(ids({ workers: [second] }, {})).toEqual([2, 3])
    expect(ids({ workers: [] }, { runs: 'service', workers: [] })).toEqual([3])
  })

  test('sees an application whose workers are not told apart as one', () => {
    const blog = appStatus({ runs: 'service', served: timesOf([4, 1_000]), reasons: {} })
    const status = siteStatus({ apps: { shop: blog } })
    const { workers } = uwsgiStats(status, inHand, self)
    expect(workers).toMatchObject([
      { requests: 1_000, exceptions: 10, avg_rt: 4_000, tx: 50_000, pid: 4_700, status: 'busy' },
    ])
  })

  test('sees what is in hand, without its query', () => {
    const [worker] = uwsgiStats(siteStatus(), inHand, self).workers
    expect(worker?.cores[0]).toMatchObject({
      in_request: 1,
      req_info: { request_start: self.now - 2 },
    })
    expect(worker?.cores[0]?.vars).toContain('REQUEST_URI=/cart')
    expect(JSON.stringify(worker)).not.toContain('secret')
  })
})
