/** Health checks as the server answers them by itself. */
import { expect, test } from 'vitest'
import { type Health, health } from '../../src/handlers/health.ts'
import { ask } from './ask.ts'
import { serve } from './serve.ts'

const WELL: Health = { state: 'running', workers: 2, sleeps: false, waiting: [0, 3], queue: 10 }

interface Told {
  readonly status: number
  readonly json: { status: string; why?: string[]; apps?: Record<string, object> }
  readonly fields: NodeJS.Dict<string | string[]>
}

async function asked(
  known: Readonly<Record<string, Health>>,
  { leaving = false, leave = true, method = 'GET' } = {},
): Promise<Told> {
  const plan = { kind: 'health', apps: Object.keys(known), leave } as const
  const served = await serve(health(plan, { leaving, health: (app) => known[app]! }))
  const { status, body, headers } = await ask(served.port, '/', {}, method)
  served.close()
  const text = body.toString()
  return { status, json: text.startsWith('{') ? JSON.parse(text) : {}, fields: headers }
}

test('all are well', async () => {
  const { status, json, fields } = await asked({ shop: WELL, blog: { ...WELL, waiting: [] } })
  expect(status).toBe(200)
  expect(json).toEqual({
    status: 'ok',
    apps: {
      shop: { state: 'running', workers: 2, waiting: 3 },
      blog: { state: 'running', workers: 2, waiting: 0 },
    },
  })
  expect(fields['content-type']).toBe('application/json')
  expect(fields['cache-control']).toBe('no-store')
})

test.each<[string, Partial<Health>]>([
  ['it did not load', { state: 'broken' }],
  ['it is starting', { state: 'starting', workers: 0 }],
  ['it has no worker', { workers: 0 }],
  ['its queue is full', { waiting: [0, 10] }],
])('one is not: %s', async (why, change) => {
  const { status, json, fields } = await asked({ shop: { ...WELL, ...change }, blog: WELL })
  expect(status).toBe(503)
  expect(json).toMatchObject({ status: 'unavailable', why: [`shop: ${why}`] })
  expect(Object.keys(json.apps ?? {})).toEqual(['shop', 'blog'])
  expect(fields['retry-after']).toBe('1')
})

test.each<Partial<Health>>([
  { state: 'asleep', workers: 0 },
  { workers: 0, sleeps: true },
])('one that is woken by its next visitor is well: %j', async (change) => {
  expect((await asked({ shop: { ...WELL, ...change } })).status).toBe(200)
})

test('a site that is being stopped sends balancers away, unless it shall not', async () => {
  const told = await asked({ shop: WELL }, { leaving: true })
  expect([told.status, told.json.why]).toEqual([503, ['the site is being stopped']])
  expect((await asked({ shop: WELL }, { leaving: true, leave: false })).status).toBe(200)
})

test('only whether the server lives', async () => {
  expect(await asked({})).toMatchObject({ status: 200, json: { status: 'ok' } })
})

test('HEAD is answered, anything else is refused', async () => {
  expect(await asked({ shop: WELL }, { method: 'HEAD' })).toMatchObject({ status: 200, json: {} })
  expect((await asked({ shop: WELL }, { method: 'POST' })).status).toBe(405)
})
