/** Deadlines of requests in workers' hands and in the queue, and those that go before the others. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ask } from '../../flows/support/visitor.ts'
import { until } from '../../supervisor/site.ts'
import { AppSite } from './worker.ts'

const ONE_AT_A_TIME = { capacity: 1, streams: false }

test('the soft deadline is told once, and the request goes on', async () => {
  await using site = await AppSite.open({
    app: { softDeadlineMs: 200, deadlineMs: 5_000 },
    worker: ONE_AT_A_TIME,
  })
  const answer = ask(site.port, '/slow?a=b')
  const request = await site.worker.next()
  await until('the report', () => site.slow.length > 0)
  expect(site.slow).toMatchObject([{ slot: 0, pid: 1, request: 'GET /slow?a=b', untold: 0 }])
  expect(site.slow[0]!.elapsedMs).toBeGreaterThanOrEqual(400)
  await sleep(800)
  expect(site.slow).toHaveLength(1)
  request.respond(200, 'at last')
  expect(await answer).toMatchObject({ status: 200, text: 'at last' })
  expect(site.stuck).toEqual([])
})

test('of many at a time each is told, but not more than ten at once', async () => {
  await using site = await AppSite.open({ app: { softDeadlineMs: 200, deadlineMs: 0 } })
  const answers = Array.from({ length: 25 }, (_, i) => ask(site.port, `/${i}`))
  await until('the requests', () => site.worker.requests.length === 25)
  await until('the reports', () => site.slow.length > 0)
  await sleep(600)
  expect(site.slow).toHaveLength(10)
  answers.push(ask(site.port, '/next'))
  const next = await until('another', () => site.slow[10])
  expect(next).toMatchObject({ request: 'GET /next', untold: 15 })
  for (const request of site.worker.requests) request.respond(200)
  for (const answer of answers) expect((await answer).status).toBe(200)
})

test('an answer that has begun is not slow', async () => {
  await using site = await AppSite.open({ app: { softDeadlineMs: 200, deadlineMs: 400 } })
  const answer = ask(site.port, '/events')
  const request = await site.worker.next()
  request.head(200)
  await sleep(900)
  expect(site.slow).toEqual([])
  request.end()
  expect((await answer).status).toBe(200)
})

test('who has waited too long for a worker gets 503, the oldest first; the others wait on', async () => {
  await using site = await AppSite.open({
    app: { deadlineMs: 10_000, queueDeadlineMs: 500 },
    worker: ONE_AT_A_TIME,
  })
  const held = ask(site.port, '/held')
  const first = await site.worker.next()
  const order: string[] = []
  const late = [1, 2].map(async (n) => {
    await sleep(n * 20)
    const reply = await ask(site.port, `/late-${n}`)
    order.push(`late-${n}`)
    return reply
  })
  await sleep(700)
  const young = ask(site.port, '/young')
  for (const reply of await Promise.all(late)) {
    expect(reply.status).toBe(503)
    expect(Number(reply.fields['retry-after'])).toBeGreaterThanOrEqual(1)
  }
  expect(order).toEqual(['late-1', 'late-2'])
  first.respond(200)
  expect((await held).status).toBe(200)
  const next = await site.worker.next()
  expect(next.path).toBe('/young')
  next.respond(200)
  expect((await young).status).toBe(200)
})

test('Retry-After follows from how fast requests are answered', async () => {
  await using site = await AppSite.open({
    app: { deadlineMs: 0, queueDeadlineMs: 0, queue: 6 },
    worker: ONE_AT_A_TIME,
  })
  // About three in a second.
  site.worker.onRequest = (request) => void setTimeout(() => request.respond(200), 300)
  const all = Array.from({ length: 6 }, (_, i) => ask(site.port, `/${i}`))
  await sleep(1_500)
  const more = Array.from({ length: 12 }, (_, i) => ask(site.port, `/more-${i}`))
  const refused = (await Promise.all(more)).filter(({ status }) => status === 503)
  expect(refused.length).toBeGreaterThan(3)
  for (const { fields } of refused) {
    expect(Number(fields['retry-after'])).toBeGreaterThanOrEqual(2)
    expect(Number(fields['retry-after'])).toBeLessThanOrEqual(6)
  }
  await Promise.all(all)
}, 15_000)

test('urgent requests pass those that wait, and a full queue does not refuse them, within a bound', async () => {
  await using site = await AppSite.open({
    app: { deadlineMs: 0, queueDeadlineMs: 0, queue: 2 },
    worker: ONE_AT_A_TIME,
  })
  const answers = [ask(site.port, '/held')]
  const held = await site.worker.next()
  for (const path of ['/a', '/b']) {
    answers.push(ask(site.port, path))
    await until(path, () => site.dispatch.waiting === answers.length - 1)
  }
  expect((await ask(site.port, '/refused')).status).toBe(503)
  answers.push(ask(site.port, '/urgent/health'))
  await until('the urgent one', () => site.dispatch.waiting === 3)
  // They take nobody's room.
  expect((await ask(site.port, '/refused')).status).toBe(503)
  held.respond(200)
  for (const path of ['/health', '/a', '/b']) {
    const request = await site.worker.next()
    expect(request.path).toBe(path)
    request.respond(200)
  }
  for (const answer of answers) expect((await answer).status).toBe(200)
  const many = Array.from({ length: 120 }, () => ask(site.port, '/urgent/health'))
  const first = await site.worker.next()
  const refused = await until('those that are too many', async () => {
    const soon = await Promise.race([Promise.all(many), sleep(300)])
    return soon === undefined && site.dispatch.waiting === 100
  })
  expect(refused).toBe(true)
  site.worker.onRequest = (request) => request.respond(200)
  first.respond(200)
  const statuses = (await Promise.all(many)).map(({ status }) => status)
  expect(statuses.filter((status) => status === 503)).toHaveLength(19)
})

test('a request behind a slow one in the same hands is not blamed for it', async () => {
  await using site = await AppSite.open({
    app: { deadlineMs: 1_000, softDeadlineMs: 300 },
    worker: ONE_AT_A_TIME,
  })
  // The window opens only for applications that have proved fast.
  site.worker.onRequest = (request) => request.respond(200)
  for (let i = 0; i < 1_200; i++) await ask(site.port, '/fast')
  site.worker.onRequest = () => {}
  const seen = site.worker.requests.length
  const answers = [ask(site.port, '/one'), ask(site.port, '/two'), ask(site.port, '/three')]
  // A machine that stands still for a while makes others slow.
  await until('the slow one', () => site.slow.at(-1)?.request === 'GET /one')
  const [one, two] = site.worker.requests.slice(seen)
  expect(two?.path).toBe('/two')
  one!.respond(200)
  expect(site.slow.map(({ request }) => request)).not.toContain('GET /two')
  await sleep(750)
  // More than the deadline after it came, and less since it could begin.
  expect(site.stuck).toEqual([])
  site.worker.onRequest = (request) => request.respond(200)
  two?.respond(200)
  for (const request of site.worker.requests.slice(seen + 2)) request.respond(200)
  for (const answer of answers) expect((await answer).status).toBe(200)
}, 20_000)

/** The window opens only for applications that have proved fast. */
async function proven(site: AppSite): Promise<void> {
  site.worker.onRequest = (request) => request.respond(200)
  for (let i = 0; i < 30; i++) {
    await Promise.all(Array.from({ length: 40 }, () => ask(site.port, '/fast')))
  }
  site.worker.onRequest = () => {}
}

test('what stands behind a slow request goes to other hands', async () => {
  await using site = await AppSite.open({ app: { deadlineMs: 0 }, worker: ONE_AT_A_TIME })
  await proven(site)
  const seen = site.worker.requests.length
  const slow = ask(site.port, '/slow')
  const behind = ['/a', '/b'].map((path) => ask(site.port, path))
  await until('three in the same hands', () => site.worker.requests.length === seen + 3)
  const other = await site.connect({ ...ONE_AT_A_TIME, slot: 1, pid: 2 })
  other.onRequest = (request) => request.respond(200, 'elsewhere')
  for (const answer of behind) {
    expect(await answer).toMatchObject({ status: 200, text: 'elsewhere' })
  }
  expect(other.requests.map(({ path }) => path).sort()).toEqual(['/a', '/b'])
  // Nothing more is put behind it.
  other.onRequest = () => {}
  const more = ['/c', '/d', '/e'].map((path) => ask(site.port, path))
  await until('the next', () => other.requests.length >= 3)
  await sleep(100)
  expect(site.worker.requests.length).toBe(seen + 3)
  // The first worker is not free before it is done with those that nobody waits for any more.
  const [first, a, b] = site.worker.requests.slice(seen)
  first!.respond(200, 'at last')
  expect(await slow).toMatchObject({ status: 200, text: 'at last' })
  a!.respond(200, 'too late')
  await sleep(50)
  expect(site.worker.requests.length).toBe(seen + 3)
  site.worker.onRequest = (request) => request.respond(200)
  b!.respond(200, 'too late')
  for (const request of other.requests) request.respond(200)
  other.onRequest = (request) => request.respond(200)
  for (const answer of more) expect((await answer).status).toBe(200)
  expect(site.dispatch.busy).toBe(0)
  expect(site.dispatch.counts.errors).toBe(0)
}, 20_000)

test('a worker that holds back an answer: not that request is blamed, but the one behind it', async () => {
  await using site = await AppSite.open({ app: { deadlineMs: 1_500 }, worker: ONE_AT_A_TIME })
  await proven(site)
  const seen = site.worker.requests.length
  const held = ask(site.port, '/held')
  const sleeps = ask(site.port, '/sleeps')
  await until('both in the same hands', () => site.worker.requests.length === seen + 2)
  const other = await site.connect({ ...ONE_AT_A_TIME, slot: 1, pid: 2 })
  expect((await other.next()).path).toBe('/sleeps')
  const third = await site.connect({ ...ONE_AT_A_TIME, slot: 2, pid: 3 })
  third.onRequest = (request) => request.respond(200, request.path)
  // Once it is seen that the other one runs for long wherever it is.
  expect(await held).toMatchObject({ status: 200, text: '/held' })
  expect(site.stuck).toEqual([])
  expect((await sleeps).status).toBe(504)
  expect(site.stuck.map(({ pid, request }) => `${pid} ${request}`).sort()).toEqual([
    '1 GET /sleeps',
    '2 GET /sleeps',
  ])
  expect(third.requests).toHaveLength(1)
  // When its worker is gone.
  await until('one error', () => site.dispatch.counts.errors === 1)
}, 20_000)
