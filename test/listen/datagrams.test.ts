/** Sockets for datagrams: a group for all threads, kept over reloads, and nobody else's port. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { ListeningSockets } from '../../src/listen/sockets.ts'
import type { Address, ListenerPlan } from '../../src/site/plan.ts'
import { freePort } from '../flows/support/peers.ts'

function listener(scheme: 'udp' | 'tcp', port: number): ListenerPlan {
  const address = { kind: 'tcp' as const, host: '127.0.0.1', port }
  return { name: 'test', scheme, address, backlog: 8, proxyProtocol: false }
}

function portOf(address: Address | undefined): number {
  return address?.kind === 'tcp' ? address.port : 0
}

test('a group of one a thread, which all receive; TCP may have the same port', async () => {
  const sockets = new ListeningSockets()
  const port = await freePort()
  const first = await sockets.prepare([listener('udp', port)], 2)
  first.commit()
  const group = first.sockets[0]!
  expect(new Set(group).size).toBe(2)
  const both = await sockets.prepare([listener('udp', port), listener('tcp', port)], 2)
  both.commit()
  expect(both.sockets[0]).toEqual(group)
  expect(portOf(both.addresses[1])).toBe(port)

  const counts = [0, 0]
  const receivers = group.map((fd, i) => {
    const receiver = createSocket('udp4', () => counts[i]!++)
    receiver.bind({ fd })
    return receiver
  })
  for (let i = 0; i < 40; i++) {
    const sender = createSocket('udp4')
    sender.send('x', port, '127.0.0.1', () => sender.close())
  }
  await expect.poll(() => counts[0]! + counts[1]!).toBe(40)
  expect(Math.min(...counts)).toBeGreaterThan(0)
  // Their descriptors go with them.
  for (const receiver of receivers) receiver.close()
})

test('a port that somebody else has is told', async () => {
  const other = createSocket('udp4')
  other.bind(0, '127.0.0.1')
  await once(other, 'listening')
  const sockets = new ListeningSockets()
  const { port } = other.address()
  await expect(sockets.prepare([listener('udp', port)], 2)).rejects.toThrow(
    /cannot listen on .*in use/,
  )
  other.close()
})
