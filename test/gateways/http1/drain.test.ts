/** The end of a gateway: connections finish, nobody is cut off in the middle, nothing is left. */
import { afterEach, expect, test } from 'vitest'
import { field } from './answers.ts'
import { echo, Held, OK } from './handlers.ts'
import { type ListeningSite, listeningSite } from './site.ts'
import { sleep, until, Visitor } from './visitor.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

let site: ListeningSite | null = null
afterEach(() => site?.close())

interface Begun {
  readonly site: ListeningSite
  readonly held: Held
  readonly visitor: Visitor
  /** Begins to drain; the promise is for its end. */
  drain(): Promise<void>
}

/** A site with a handler to be answered by the test, one that answers by itself, and a visitor. */
async function begun(): Promise<Begun> {
  const held = new Held()
  const made = await listeningSite({ routes: { '/': held, '/echo': echo() } })
  site = made
  return {
    site: made,
    held,
    visitor: await Visitor.at(made.port),
    drain: () => {
      made.stopAccepting()
      return new Promise((resolve) => made.gateway.drain(resolve))
    },
  }
}

const ECHO = 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx'

test('without connections it is over at once', async () => {
  const { visitor, drain, site: made } = await begun()
  visitor.leave()
  await until(() => made.totals().open === 0)
  await drain()
})

test('a request in hand is answered, and the connection closes behind it', async () => {
  const { visitor, held, drain } = await begun()
  visitor.send(GET)
  await until(() => held.exchanges.length === 1)
  let over = false
  const drained = drain().then(() => {
    over = true
  })
  await sleep(50)
  expect(over).toBe(false)
  held.last.respond(OK, Buffer.from('there you are'))
  const answer = await visitor.answer()
  expect(answer.body.toString()).toBe('there you are')
  expect(field(answer, 'connection')).toBe('close')
  await visitor.serverEnd()
  visitor.end()
  await drained
})

test('an idle connection may ask once more, and is told that this was it', async () => {
  const { visitor, drain } = await begun()
  expect(field(await visitor.send(ECHO).answer(), 'connection')).toBeUndefined()
  const drained = drain()
  await sleep(50)
  const [, answer] = await visitor.send(ECHO).answers(2)
  expect(field(answer!, 'connection')).toBe('close')
  await visitor.serverEnd()
  visitor.end()
  await drained
})

test('one that does not ask is closed after a while', async () => {
  const { visitor, drain } = await begun()
  await visitor.send('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n').answers(1)
  const drained = drain()
  await visitor.serverEnd()
  expect(visitor.broken).toBe('')
  visitor.end()
  await drained
}, 10_000)

test('a streamed answer goes on to its end', async () => {
  const { visitor, held, drain } = await begun()
  visitor.send(GET)
  await until(() => held.exchanges.length === 1)
  held.last.start(OK, -1)
  held.last.write(Buffer.from('one '), false)
  await sleep(20)
  const drained = drain()
  held.last.write(Buffer.from('two'), false)
  held.last.end()
  expect((await visitor.answer()).body.toString()).toBe('one two')
  // Its head had promised to keep the connection: another request is still heard.
  const [, second] = await visitor.send(ECHO).answers(2)
  expect(field(second!, 'connection')).toBe('close')
  visitor.end()
  await drained
})

test('close() cuts what is left, and every exchange hears of it', async () => {
  const { visitor, held, drain, site: made } = await begun()
  visitor.send(GET)
  await until(() => held.exchanges.length === 1)
  let gone = 0
  held.last.onGone = () => gone++
  const drained = drain()
  made.close()
  await visitor.serverEnd()
  await drained
  expect(gone).toBe(1)
  expect(made.totals()).toMatchObject({ open: 0, active: 0 })
})
