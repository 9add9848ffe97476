/** Retries over the protocols of applications, where a body of unknown length is gathered first. */
import type { Socket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { bytesKept } from '../../src/request/kept-body.ts'
import type { TargetPlan } from '../../src/site/plan.ts'
import { get, rawBackend } from '../transports/backends.ts'
import { front, poolPlan, target } from '../transports/front.ts'
import { resilience, retryPlan } from './resilience.ts'

const open: { close(): void }[] = []
afterEach(() => {
  for (const each of open.splice(0)) each.close()
  expect(bytesKept()).toBe(0)
})

function keep<T extends { close(): void }>(made: T): T {
  open.push(made)
  return made
}

async function scgi(serve: (socket: Socket, request: string) => void): Promise<TargetPlan> {
  const { port } = keep(
    await rawBackend((socket) => {
      let text = ''
      socket.on('data', (part: Buffer) => {
        text += part.toString('latin1')
        const length = Number(/CONTENT_LENGTH\0(\d+)\0/.exec(text)?.[1] ?? Number.NaN)
        const head = Number(/^(\d+):/.exec(text)?.[1] ?? Number.NaN)
        const begin = String(head).length + 1 + head + 1
        if (text.length >= begin + length) serve(socket, text.slice(begin))
      })
    }),
  )
  return { ...target(port), scheme: 'scgi' }
}

it.each([false, true])('over SCGI, with a body; its length unknown: %s', async (chunked) => {
  const closing = await scgi((socket) => socket.destroy())
  const busy = await scgi((socket) => socket.end('Status: 503 Busy\r\n\r\nbusy'))
  const good = await scgi((socket, body) =>
    socket.end(`Status: 200 OK\r\nContent-Type: text/plain\r\n\r\n${body}`),
  )
  const plan = poolPlan([closing, busy, good], resilience({ retry: retryPlan() }))
  const { port } = keep(await front(plan))
  const body = 'body '.repeat(2_000)
  for (let i = 0; i < 3; i++) {
    const got = chunked
      ? await get(port, '/', { method: 'PUT', prepare: (request) => request.write(body) })
      : await get(port, '/', { method: 'PUT', body })
    expect([got.status, got.body === body]).toEqual([200, true])
  }
})

it('over SCGI, a body that is too long to be kept is sent once', async () => {
  const closing = await scgi((socket) => socket.destroy())
  const good = await scgi((socket, body) => socket.end(`Status: 200 OK\r\n\r\n${body.length}`))
  const plan = poolPlan([closing, good], resilience({ retry: retryPlan({ body: 1_000 }) }))
  const { port } = keep(await front(plan))
  const statuses: number[] = []
  for (let i = 0; i < 2; i++) {
    const body = 'x'.repeat(100_000)
    statuses.push((await get(port, '/', { method: 'PUT', body })).status)
  }
  expect(statuses.toSorted()).toEqual([200, 502])
})
