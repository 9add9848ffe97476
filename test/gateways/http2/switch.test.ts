/** HTTP/2 by prior knowledge where HTTP/1 is spoken (RFC 9113 §3.3). */
import { afterEach, expect, it } from 'vitest'
import { Http1Gateway } from '../../../src/gateways/http1/gateway.ts'
import { Http2Gateway } from '../../../src/gateways/http2/gateway.ts'
import { ProxiedGateway } from '../../../src/gateways/proxied.ts'
import { encodeSettings, Flag, FrameType, PREFACE } from '../../../src/wire/http2.ts'
import { Held, handler, OK, says } from '../http1/handlers.ts'
import { gatewayOptions, listening, type SiteOptions } from '../http1/site.ts'
import { until, Visitor } from '../http1/visitor.ts'
import { encode, frame, Peer, request } from './peer.ts'

const open: (() => void)[] = []
afterEach(() => {
  for (const close of open.splice(0)) close()
})

async function serve(options: SiteOptions, speaks = true) {
  const made = gatewayOptions(options)
  const load = { loadHttp2: async () => new Http2Gateway(made) }
  const gateway = new Http1Gateway({ ...made, ...(speaks ? load : {}) })
  const { port, close } = await listening(gateway)
  open.push(close)
  return { gateway, port, totals: made.totals }
}

const OPENING = Buffer.concat([
  PREFACE,
  encodeSettings([]),
  frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, encode(request('/'))),
])

it('is answered, in whatever pieces it comes', async () => {
  const { port, totals } = await serve({ routes: { '/': says('hello') } })
  for (let at = 1; at < OPENING.length; at++) {
    const peer = await Peer.silent(port)
    peer.send(OPENING.subarray(0, at))
    await new Promise((resolve) => setImmediate(resolve))
    peer.send(OPENING.subarray(at))
    expect((await peer.over(1)).body.toString()).toBe('hello')
    peer.leave()
  }
  await until(() => totals().open === 0)
  const requests = OPENING.length - 1
  expect(totals()).toMatchObject({ accepted: requests, requests, active: 0 })
  // With the acknowledgement of settings, and updates of windows for the answer.
  expect(totals().received).toBeGreaterThanOrEqual(requests * OPENING.length)
  expect(totals().received).toBeLessThanOrEqual(requests * (OPENING.length + 9 + 2 * 13))
})

it('goes with HTTP/1 beside it, and both are one gateway to whoever looks', async () => {
  const held = new Held()
  const { gateway, port, totals } = await serve({ routes: { '/': held } })
  const peer = await Peer.at(port)
  const visitor = await Visitor.at(port)
  peer.ask(1, request('/two'))
  visitor.send('GET /one HTTP/1.1\r\nHost: a\r\n\r\n')
  await until(() => held.exchanges.length === 2)
  const paths: string[] = []
  gateway.eachExchange(({ line }) => paths.push(line.path))
  expect(paths.sort()).toEqual(['/one', '/two'])
  let drained = false
  gateway.drain(() => {
    drained = true
  })
  for (const exchange of held.exchanges) exchange.respond(OK, Buffer.from('bye'))
  expect((await peer.over(1)).body.toString()).toBe('bye')
  expect((await visitor.answer()).body.toString()).toBe('bye')
  expect(drained).toBe(false)
  visitor.leave()
  await peer.until(() => peer.ended)
  peer.leave()
  await until(() => drained)
  expect(totals().open).toBe(0)
})

it('and who comes to it while the server drains is served, then sent away', async () => {
  const { gateway, port } = await serve({ routes: { '/': says('hello') } })
  const peer = await Peer.silent(port)
  await until(() => gateway.size === 1)
  let drained = false
  gateway.drain(() => {
    drained = true
  })
  peer.send(OPENING)
  expect((await peer.over(1)).body.toString()).toBe('hello')
  await peer.goaway(2)
  expect(drained).toBe(false)
  peer.leave()
  await until(() => drained)
})

it.each([
  ['behind a request', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', true],
  ['where it is switched off', '', false],
])('is none %s', async (_, before, speaks) => {
  const { port } = await serve({ routes: { '/': says('hello') } }, speaks)
  const visitor = await Visitor.at(port)
  visitor.send(before).send(OPENING)
  const answers = await visitor.answers(before === '' ? 1 : 2)
  expect(answers.at(-1)!.status).toBe(505)
  visitor.leave()
})

it('comes behind a PROXY header as well', async () => {
  const made = gatewayOptions({
    routes: {
      '/': handler((exchange) => exchange.respond(OK, Buffer.from(exchange.peer.address))),
    },
  })
  const inner = new Http1Gateway({ ...made, loadHttp2: async () => new Http2Gateway(made) })
  const gateway = new ProxiedGateway(inner, { headMs: 5000, most: 10, complain: () => {} })
  const { port, close } = await listening(gateway)
  open.push(close)
  const peer = await Peer.silent(port)
  peer.send(Buffer.from('PROXY TCP4 192.0.2.7 192.0.2.1 5000 80\r\n'), OPENING)
  expect((await peer.over(1)).body.toString()).toBe('192.0.2.7')
  peer.leave()
})

it('whose visitor leaves at once is forgotten', async () => {
  const { port, totals } = await serve({ routes: { '/': says('hello') } })
  for (let i = 0; i < 20; i++) {
    const peer = await Peer.silent(port)
    peer.send(OPENING.subarray(0, 20))
    peer.leave()
  }
  await until(() => totals().accepted === 20 && totals().open === 0)
})
