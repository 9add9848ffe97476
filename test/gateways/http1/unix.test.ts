/** Visitors over a unix socket: no address, no reset, all else the same. */
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { PorticoError } from '../../../src/errors.ts'
import { type Acceptor, accept } from '../../../src/listen/accept.ts'
import { handler, OK } from './handlers.ts'
import { type Site, site } from './site.ts'
import { until } from './visitor.ts'

let folder = ''
let made: Site
let acceptor: Acceptor

const addresses: string[] = []
const routes = {
  '/': handler((exchange) => {
    addresses.push(exchange.peer.address)
    exchange.respond(OK, Buffer.from('hello'))
  }),
  '/cut': handler((exchange) => {
    exchange.start(OK, -1)
    exchange.write(Buffer.from('part'), false)
    setTimeout(() => exchange.fail(new PorticoError('BACKEND_CLOSED')), 20)
  }),
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portico-unix-'))
  made = site({ routes })
  await new Promise<void>((resolve, reject) => {
    acceptor = accept({
      on: { path: join(folder, 's') },
      admit: () => made.gateway.admit(),
      connect: (socket) => made.gateway.connect(socket),
      ready: resolve,
      failed: reject,
    })
  })
})

afterEach(() => {
  acceptor.close()
  made.close()
  rmSync(folder, { recursive: true, force: true })
})

async function ask(bytes: string): Promise<string> {
  const socket = connect(join(folder, 's'))
  socket.write(bytes)
  const parts: Buffer[] = []
  for await (const part of socket) parts.push(part)
  return Buffer.concat(parts).toString()
}

test('a request is answered', async () => {
  const text = await ask('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n(?:.|\n|\r)*hello$/)
  expect(addresses).toEqual([''])
})

test.for(['1.0', '1.1'])('an answer that is cut ends, HTTP/%s', async (version) => {
  expect(await ask(`GET /cut HTTP/${version}\r\nHost: a\r\n\r\n`)).toContain('part')
  await until(() => made.totals().active === 0)
})
