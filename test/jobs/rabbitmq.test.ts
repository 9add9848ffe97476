/** Jobs in a real RabbitMQ: the promises of every engine, and what is RabbitMQ's own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { amqp } from '../../src/checks/amqp.ts'
import type { JobEngine } from '../../src/jobs/engine.ts'
import { openRabbit } from '../../src/jobs/rabbitmq/engine.ts'
import { engineSuite } from './engines.ts'
import { RabbitServer } from './servers.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-ledger-'))
let rabbit: RabbitServer
beforeAll(async () => {
  rabbit = await RabbitServer.start()
}, 60_000)
afterAll(async () => {
  await rabbit[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

let machines = 0

describe('the RabbitMQ engine', () => {
  engineSuite({
    looksInside: false,
    single: false,
    async open(events) {
      const ledger = join(folder, `${++machines}.db`)
      const options = { url: rabbit.url, ledger, largest: 0 }
      const engine = await openRabbit(options, { work() {}, warn() {}, ...events })
      await engine.records.queues()
      return engine
    },
    async crash(engine: JobEngine) {
      await engine.close()
    },
  })
})

// Here, because it takes this broker many seconds to start.
it('the check of pools finds it well', async () => {
  const { port } = new URL(rabbit.url)
  const address = { kind: 'tcp', host: '127.0.0.1', port: Number(port) } as const
  const probe = amqp({ kind: 'amqp' }).probe({ address, first: null }, AbortSignal.timeout(5_000))
  await expect(probe).resolves.toBeUndefined()
})
