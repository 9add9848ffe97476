/** Sockets of a service manager: recognised by their addresses, kept over reloads, never closed early. */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { activatedSockets, isSameAddress } from '../../src/listen/activated.ts'
import { decodeAddress, encodeTcp, encodeUnix } from '../../src/listen/address.ts'
import { openUnix } from '../../src/listen/open.ts'
import { ListeningSockets } from '../../src/listen/sockets.ts'
import type { Address, ListenerPlan } from '../../src/site/plan.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-activated-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function listener(address: Address): ListenerPlan {
  return { name: 'test', scheme: 'http', address, backlog: 128, proxyProtocol: false }
}

test.each<[Uint8Array, Address]>([
  [encodeTcp('127.0.0.1', 8080).bytes, { kind: 'tcp', host: '127.0.0.1', port: 8080 }],
  [encodeTcp('::', 80).bytes, { kind: 'tcp', host: '::', port: 80 }],
  [encodeTcp('fe80::1:2', 80).bytes, { kind: 'tcp', host: 'fe80::1:2', port: 80 }],
  [encodeUnix('/run/a.sock').bytes, { kind: 'unix', path: '/run/a.sock' }],
  [encodeUnix('@hidden').bytes, { kind: 'unix', path: '@hidden' }],
])('the kernel tells %o', (bytes, address) => {
  expect(decodeAddress(bytes)).toEqual(address)
})

test.each<[Address, Address, boolean]>([
  [{ kind: 'tcp', host: '::', port: 80 }, { kind: 'tcp', host: '::', port: 80 }, true],
  [{ kind: 'tcp', host: '0.0.0.0', port: 80 }, { kind: 'tcp', host: '::', port: 80 }, true],
  [{ kind: 'tcp', host: '::', port: 80 }, { kind: 'tcp', host: '127.0.0.1', port: 80 }, false],
  [{ kind: 'tcp', host: '::', port: 80 }, { kind: 'tcp', host: '::', port: 81 }, false],
  [{ kind: 'unix', path: '/a' }, { kind: 'unix', path: '/a' }, true],
  [{ kind: 'unix', path: '/a' }, { kind: 'tcp', host: '::', port: 80 }, false],
])('%o for a listener on %o: %s', (own, wanted, same) => {
  expect(isSameAddress(own, wanted)).toBe(same)
})

describe('the environment', () => {
  test('of another process means nobody, and is forgotten all the same', () => {
    const environment = { LISTEN_PID: '1', LISTEN_FDS: '3', LISTEN_FDNAMES: 'a', OTHER: 'stays' }
    expect(activatedSockets(environment, 2)).toEqual([])
    expect(environment).toEqual({ OTHER: 'stays' })
  })

  test.each(['', '0', '-1', 'x', '99999999'])('with %j sockets has none', (LISTEN_FDS) => {
    expect(activatedSockets({ LISTEN_PID: '2', LISTEN_FDS }, 2)).toEqual([])
  })
})

test('a listener gets the socket of its address; nobody else closes it or removes its file', async () => {
  const [used, spare] = ['used', 'spare'].map((name) => join(folder, `${name}.sock`)) as [
    string,
    string,
  ]
  const open = (path: string) => ({
    fd: openUnix(path, 0o600, 8).fd,
    address: { kind: 'unix' as const, path },
  })
  const given = [open(used), open(spare)]
  const sockets = new ListeningSockets(given)
  const first = await sockets.prepare([listener({ kind: 'unix', path: used })], 3)
  first.commit()
  expect(first.sockets).toEqual([[given[0]!.fd]])
  expect(sockets.unused).toEqual([`unix:${spare}`])
  // A reload that takes it away and one that brings it back.
  const without = await sockets.prepare([], 3)
  without.commit()
  const again = await sockets.prepare([listener({ kind: 'unix', path: used })], 3)
  again.commit()
  expect(again.sockets).toEqual(first.sockets)
  sockets.close()
  sockets.close()
  expect([used, spare].map((path) => statSync(path).isSocket())).toEqual([true, true])
})
