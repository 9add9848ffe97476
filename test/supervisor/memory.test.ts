/** What is done every second for years leaves nothing in the supervisor's memory. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { nothingBefore } from '../../src/balance/health-report.ts'
import { ListeningSockets } from '../../src/listen/sockets.ts'
import { createLogger } from '../../src/supervisor/logger.ts'
import { ServerProcess } from '../../src/supervisor/server-process.ts'
import { noSecrets } from '../../src/tls/secrets.ts'
import { sitePlan } from './site.ts'

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

/** What one time leaves in memory, bytes: the least of several rounds, since others leave things, too. */
async function leaves(act: () => Promise<unknown>): Promise<number> {
  const times = 1_000
  let least = Number.POSITIVE_INFINITY
  let before = 0
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < times; i++) await act()
    await nextTurn()
    collect()
    const { heapUsed } = process.memoryUsage()
    if (round > 0) least = Math.min(least, (heapUsed - before) / times)
    before = heapUsed
  }
  return least
}

test('a server that is asked again and again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-memory-'))
  const plan = sitePlan(folder)
  const sockets = new ListeningSockets()
  const prepared = await sockets.prepare(plan.listeners, plan.threads)
  prepared.commit()
  const server = new ServerProcess({
    main: new URL('fakes/server.ts', import.meta.url).pathname,
    plan,
    generation: 1,
    sockets: prepared.sockets,
    linkDir: folder,
    quarters: {},
    credentials: null,
    logger: createLogger({ write: () => {} }, { format: 'json', colours: false, level: 'error' }),
    tls: noSecrets,
    closed: [],
    proof: async () => null,
    metrics: async () => '',
    health: () => nothingBefore,
    found: () => {},
    stuck: () => {},
    slow: () => {},
    heard: () => {},
    broken: () => {},
  })
  try {
    await server.start()
    expect(await leaves(() => server.status())).toBeLessThan(50)
    expect(await leaves(() => server.dismiss('app', 0, 1))).toBeLessThan(50)
  } finally {
    await server.kill()
    sockets.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
