import { expect, test } from 'vitest'
import { respond } from '../../src/handlers/respond.ts'
import type { RespondPlan } from '../../src/site/plan.ts'
import { ask } from './ask.ts'
import { serve } from './serve.ts'

function plan(more: Partial<RespondPlan>): RespondPlan {
  const type = 'text/plain; charset=utf-8'
  return { kind: 'respond', status: 200, body: 'pong', type, headers: {}, ...more }
}

test('status, body, type and headers as planned, for every method', async () => {
  const headers = { 'X-Mood': 'fröhlich', Server: 'other', 'Cache-Control': 'no-store' }
  const served = await serve(respond(plan({ status: 418, body: 'grüß', headers })))
  for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS', 'PROPFIND']) {
    const answer = await ask(served.port, '/', {}, method)
    expect(answer.status).toBe(418)
    expect(answer.body.toString()).toBe('grüß')
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8')
    expect(answer.headers['content-length']).toBe('6')
    expect(Buffer.from(String(answer.headers['x-mood']), 'latin1').toString()).toBe('fröhlich')
    expect(answer.headers.server).toBe('other')
    expect(answer.headers['cache-control']).toBe('no-store')
  }
  const head = await ask(served.port, '/', {}, 'HEAD')
  expect(head.headers['content-length']).toBe('6')
  expect(head.body.length).toBe(0)
  served.close()
})

test('no type without a body, and a type of the owner’s own', async () => {
  const empty = await serve(respond(plan({ status: 204, body: '' })))
  expect((await ask(empty.port, '/')).headers['content-type']).toBeUndefined()
  empty.close()
  const own = await serve(respond(plan({ headers: { 'content-type': 'text/css' } })))
  expect((await ask(own.port, '/')).headers['content-type']).toBe('text/css')
  own.close()
})

test.each([
  ['a b', 'x'],
  ['X', 'a\r\nSet-Cookie: b'],
  ['Content-Length', '3'],
  ['Transfer-Encoding', 'chunked'],
  ['Connection', 'close'],
])('the header %j: %j is refused', (name, value) => {
  expect(() => respond(plan({ headers: { [name]: value } }))).toThrow('malformed header field')
})
