/** What a backend says before it closes, while a request is on its way to it, is an answer to nothing. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { front, poolPlan, target } from './front.ts'

it('a kept connection that closes with a word is no answer to the request that met it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-stale-'))
  const path = join(folder, 'socket')
  const sockets: Socket[] = []
  const backend = createServer((socket) => {
    const nth = sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', () => socket.write(answer(`connection ${nth}`)))
  })
  backend.listen(path)
  await once(backend, 'listening')
  const made = await front(poolPlan([target({ kind: 'unix', path })]))
  const visitor = connect(made.port, '127.0.0.1')
  const ask = (): boolean => visitor.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  for (let i = 1; i <= 20; i++) {
    ask()
    expect(String((await once(visitor, 'data'))[0])).toContain(`connection ${i}`)
    // In one turn: the request is there first, and when it is sent the backend is gone.
    ask()
    const socket = sockets.at(-1)!
    socket.write(answer('stale'))
    socket.destroy()
    expect(String((await once(visitor, 'data'))[0])).toContain(`connection ${i + 1}`)
    sockets.at(-1)!.destroy()
    // Its end has arrived when this is asked for.
    await new Promise((resolve) => setTimeout(resolve, 5))
    sockets.length = i
  }
  visitor.destroy()
  made.close()
  backend.close()
  rmSync(folder, { recursive: true })
})

function answer(body: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}
