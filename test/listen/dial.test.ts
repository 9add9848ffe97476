/** Connections that we make, to names with several addresses. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, it, vi } from 'vitest'
import { type DialedStream, dial } from '../../src/listen/dial.ts'

/** What the name in the tests has. */
let addresses: string[] = []
vi.mock('node:dns', () => ({
  lookup: (_name: string, _options: object, done: (error: null, found: object[]) => void) =>
    done(
      null,
      addresses.map((address) => ({ address })),
    ),
}))

const open: { close(): void }[] = []
afterEach(() => {
  for (const each of open.splice(0)) each.close()
})

async function listening(): Promise<number> {
  const server = createServer((socket) => socket.on('error', () => {}))
  open.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

function dialed(port: number): Promise<DialedStream> {
  const { promise, resolve, reject } = Promise.withResolvers<DialedStream>()
  dial(
    { kind: 'tcp', host: 'some.name', port },
    { connected: resolve, refused: (reason) => reject(new Error(reason)) },
  )
  return promise
}

/** Nobody takes the connections to that port of 127.0.0.2, and there is no room for more. */
async function stuck(port: number): Promise<void> {
  const program = `require('net').createServer().listen({ port: ${port}, host: '127.0.0.2', backlog: 1 }, () => {
    require('fs').writeSync(1, 'x')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })`
  const child: ChildProcess = spawn(process.execPath, ['-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  open.push({ close: () => void child.kill('SIGKILL') })
  await once(child.stdout!, 'data')
  // One after the other, until one is left to wait.
  for (let taken = true; taken; ) {
    const socket: Socket = connect(port, '127.0.0.2')
    socket.on('error', () => {})
    open.push({ close: () => void socket.destroy() })
    taken = await Promise.race([once(socket, 'connect').then(() => true), sleep(100, false)])
  }
}

it('go to the next one when one refuses', async () => {
  addresses = ['127.0.0.2', '127.0.0.1']
  const stream = await dialed(await listening())
  expect(stream.remoteAddress).toBe('127.0.0.1')
  stream.destroy()
})

it('say so when all refuse', async () => {
  addresses = ['127.0.0.2', '127.0.0.3']
  await expect(dialed(await listening())).rejects.toThrow('ECONNREFUSED')
})

it('do not wait for one that does not answer', async () => {
  addresses = ['127.0.0.2', '127.0.0.1']
  const port = await listening()
  await stuck(port)
  const stream = await dialed(port)
  expect(stream.remoteAddress).toBe('127.0.0.1')
  stream.destroy()
})
