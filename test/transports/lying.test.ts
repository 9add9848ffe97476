/**
 * Backends that lie, in every protocol: whatever they do, the visitor gets a right status or a cut
 * answer, and never a byte that was meant for another one.
 */
import type { Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { PoolOptions } from '../../src/balance/pool.ts'
import type { PoolPlan, TargetScheme } from '../../src/site/plan.ts'
import { encodeStream, RecordType, recordHead, writeEndRequest } from '../../src/wire/fastcgi.ts'
import { type Backend, type Got, get, rawBackend, sleep, until } from './backends.ts'
import { front, poolPlan, target } from './front.ts'

const open: { close(): void }[] = []
afterEach(() => {
  for (const each of open.splice(0)) each.close()
})

/** How a protocol says an answer. */
interface Tongue {
  readonly scheme: TargetScheme
  /** The head with its empty line; `fields` in CRLF lines. */
  head(fields: string): Buffer
  body(text: string): Buffer
  /** What ends an answer in order. */
  readonly end: Buffer
  /** Closing is the end of an answer without a length. */
  readonly endsByClosing: boolean
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')
const NOTHING = Buffer.alloc(0)

function http(scheme: TargetScheme): Tongue {
  return {
    scheme,
    head: (fields) => latin1(`HTTP/1.1 200 OK\r\n${fields}\r\n`),
    body: latin1,
    end: NOTHING,
    endsByClosing: true,
  }
}

const out = (text: string): Buffer => encodeStream(RecordType.STDOUT, 1, latin1(text))

function ended(protocolStatus = 0, id = 1): Buffer {
  const bytes = Buffer.alloc(16)
  writeEndRequest(bytes, 0, id, 0, protocolStatus)
  return bytes
}

const tongues: readonly Tongue[] = [
  http('http'),
  http('uwsgi'),
  http('puwsgi'),
  {
    scheme: 'scgi',
    head: (fields) => latin1(`Status: 200 OK\r\n${fields}\r\n`),
    body: latin1,
    end: NOTHING,
    endsByClosing: true,
  },
  {
    scheme: 'fastcgi',
    head: (fields) => out(`Status: 200 OK\r\n${fields}\r\n`),
    body: out,
    end: ended(),
    endsByClosing: false,
  },
]

/** The tongue in which the request with this id is answered. */
function about(tongue: Tongue, id: number): Tongue {
  if (tongue.scheme !== 'fastcgi') return tongue
  const named = (bytes: Buffer): Buffer => {
    const copy = Buffer.from(bytes)
    for (let at = 0; at < copy.length; at += 8 + copy.readUInt16BE(at + 4) + copy[at + 6]!) {
      copy.writeUInt16BE(id, at + 2)
    }
    return copy
  }
  const { head, body, end } = tongue
  return {
    ...tongue,
    head: (fields) => named(head(fields)),
    body: (text) => named(body(text)),
    end: named(end),
  }
}

type Act = (socket: Socket, tongue: Tongue, path: string) => void

/** A backend that does `act` for each request it gets, of which it only looks for the path. */
function actor(tongue: Tongue, act: Act): Promise<Backend> {
  return rawBackend((socket) => {
    socket.on('data', (chunk: Buffer) => {
      const path = /\/visitor-\d+/.exec(chunk.toString('latin1'))?.[0]
      if (path !== undefined) act(socket, about(tongue, chunk.readUInt16BE(2)), path)
    })
  })
}

async function portBefore(
  tongue: Tongue,
  backends: readonly Backend[],
  changes: Partial<PoolPlan> = {},
  options: PoolOptions = {},
): Promise<number> {
  const servers = backends.map(({ port }) => ({ ...target(port), scheme: tongue.scheme }))
  const made = await front(poolPlan(servers, { responseTimeoutMs: 300, ...changes }), options)
  open.push(...backends, made)
  return made.port
}

async function ask(tongue: Tongue, act: Act, changes: Partial<PoolPlan> = {}): Promise<Got> {
  return get(await portBefore(tongue, [await actor(tongue, act)], changes), '/visitor-1')
}

/** An honest answer with a length. */
function honest(tongue: Tongue, text: string): Buffer {
  const fields = `Content-Type: text/plain\r\nContent-Length: ${text.length}\r\n`
  return Buffer.concat([tongue.head(fields), tongue.body(text), tongue.end])
}

/** Every byte in a write of its own. */
async function trickle(socket: Socket, bytes: Uint8Array, ms: number): Promise<void> {
  for (const byte of bytes) {
    if (socket.destroyed) return
    socket.write(Uint8Array.of(byte))
    await sleep(ms)
  }
}

describe.each(tongues)('$scheme: a backend that', (tongue) => {
  const { head, body, end } = tongue

  it('is honest is believed', async () => {
    const got = await ask(tongue, (socket) => socket.write(honest(tongue, 'truth')))
    expect([got.status, got.body, got.cut]).toEqual([200, 'truth', false])
  })

  it('gives no length ends in its own way', async () => {
    const got = await ask(tongue, (socket) => {
      socket.end(Buffer.concat([head('Content-Type: text/plain\r\n'), body('truth'), end]))
    })
    expect([got.status, got.body, got.cut]).toEqual([200, 'truth', false])
  })

  it('answers byte by byte is waited for', async () => {
    const got = await ask(tongue, (socket) => void trickle(socket, honest(tongue, 'truth'), 1), {
      responseTimeoutMs: 5_000,
    })
    expect([got.status, got.body, got.cut]).toEqual([200, 'truth', false])
  })

  it('never answers is a 504', async () => {
    expect((await ask(tongue, () => {})).status).toBe(504)
  })

  it('trickles its head for ever is a 504', async () => {
    const long = head(`X: ${'x'.repeat(5_000)}\r\n`)
    const got = await ask(tongue, (socket) => void trickle(socket, long, 10))
    expect(got.status).toBe(504)
  })

  it('closes at once is a 502', async () => {
    const backend = await rawBackend((socket) => socket.destroy())
    expect((await get(await portBefore(tongue, [backend]), '/visitor-1')).status).toBe(502)
  })

  it('closes, or resets, when it is asked is a 502', async () => {
    expect((await ask(tongue, (socket) => socket.end())).status).toBe(502)
    expect((await ask(tongue, (socket) => socket.resetAndDestroy())).status).toBe(502)
  })

  it('closes in its head is a 502', async () => {
    const bytes = head('X: y\r\n')
    const got = await ask(tongue, (socket) => socket.end(bytes.subarray(0, bytes.length - 3)))
    expect(got.status).toBe(502)
  })

  it.each([
    ['a line without a colon', 'nonsense\r\n'],
    ['a blank before the colon', 'X : y\r\n'],
    ['a folded line', 'X: y\r\n z\r\n'],
    ['a NUL', 'X: \0\r\n'],
    ['a bare CR', 'X: a\rSet-Cookie: b\r\n'],
    ['an empty name', ': x\r\n'],
    ['two lengths', 'Content-Length: 1\r\nContent-Length: 2\r\n'],
    ['a length that is none', 'Content-Length: -1\r\n'],
    ['a length with more behind it', 'Content-Length: 1 2\r\n'],
  ])('sends %s is a 502', async (_name, fields) => {
    const got = await ask(tongue, (socket) =>
      socket.write(Buffer.concat([head(fields), body('lie'), end])),
    )
    expect([got.status, got.body.includes('lie')]).toEqual([502, false])
  })

  it('sends garbage is a 502', async () => {
    for (const garbage of [
      '\0'.repeat(64),
      '\xff'.repeat(64),
      'HTTP/9.9 xyz\r\n\r\n',
      '\r\n\r\n',
    ]) {
      const got = await ask(tongue, (socket) => socket.end(latin1(garbage)))
      expect(got.status).toBe(502)
    }
  })

  it('sends 100 MB of head is a 502, and is not read to the end', async () => {
    let written = 0
    const got = await ask(tongue, (socket) => {
      const line = `X-${'x'.repeat(60)}: ${'y'.repeat(60)}\r\n`
      const block = tongue.scheme === 'fastcgi' ? out(line.repeat(400)) : latin1(line.repeat(400))
      socket.write(head('').subarray(0, -2))
      const more = (): void => {
        while (written < 100_000_000 && !socket.destroyed) {
          written += block.length
          if (!socket.write(block)) {
            socket.once('drain', more)
            return
          }
        }
      }
      more()
    })
    expect(got.status).toBe(502)
    expect(written).toBeLessThan(20_000_000)
  })

  it('sends less than it announced is cut, or a 502', async () => {
    const short = Buffer.concat([head('Content-Length: 10\r\n'), body('short'), end])
    const atOnce = await ask(tongue, (socket) => socket.end(short))
    expect(atOnce.status === 502 || atOnce.cut).toBe(true)
    const later = await ask(tongue, async (socket) => {
      socket.write(Buffer.concat([head('Content-Length: 10\r\n'), body('short')]))
      await sleep(50)
      socket.end(end)
    })
    expect([later.status, later.body, later.cut]).toEqual([200, 'short', true])
  })

  it('resets in its body is cut', async () => {
    const got = await ask(tongue, async (socket) => {
      socket.write(Buffer.concat([head('Content-Type: a/b\r\n'), body('part')]))
      await sleep(50)
      socket.resetAndDestroy()
    })
    expect([got.status, got.cut]).toEqual([200, true])
  })

  // Elsewhere that is how an answer ends.
  const cut = tongue.endsByClosing ? null : it
  cut?.('closes without the word for it is cut', async () => {
    const got = await ask(tongue, async (socket) => {
      socket.write(Buffer.concat([head('Content-Type: a/b\r\n'), body('part')]))
      await sleep(50)
      socket.end()
    })
    expect([got.status, got.cut]).toEqual([200, true])
  })

  it('stops in its body is cut after a while', async () => {
    const got = await ask(tongue, (socket) =>
      socket.write(Buffer.concat([head('Content-Length: 10\r\n'), body('short')])),
    )
    expect([got.status, got.body, got.cut]).toEqual([200, 'short', true])
  })

  it('sends more than it announced has the rest dropped, for everybody', async () => {
    const backend = await actor(tongue, (socket, _tongue, path) => {
      const fields = `Content-Length: ${path.length}\r\n`
      socket.write(
        Buffer.concat([head(fields), body(`${path}surplus`), end, honest(tongue, 'for another')]),
      )
    })
    const port = await portBefore(tongue, [backend])
    for (let i = 0; i < 5; i++) {
      const got = await get(port, `/visitor-${i}`)
      expect([got.status, got.body]).toEqual([200, `/visitor-${i}`])
    }
  })

  it('speaks unasked is not heard by the next visitor', async () => {
    let speak = (): void => {}
    const backend = await actor(tongue, (socket, own, path) => {
      socket.write(honest(own, path))
      speak = () => void socket.write(honest(own, 'unasked'))
    })
    const port = await portBefore(tongue, [backend])
    for (let i = 0; i < 4; i++) {
      expect((await get(port, `/visitor-${i}`)).body).toBe(`/visitor-${i}`)
      if (i % 2 === 0) continue
      speak()
      await sleep(60)
    }
  })

  // Of puwsgi, no bodies are asked.
  const withBody = tongue.scheme === 'puwsgi' ? null : it
  withBody?.('answers before it has read the body is heard', async () => {
    const backend = await rawBackend((socket) => {
      socket.once('data', () => socket.write(honest(tongue, 'enough')))
    })
    const port = await portBefore(tongue, [backend])
    const got = await get(port, '/visitor-1', { method: 'POST', body: Buffer.alloc(3_000_000) })
    expect([got.status, got.body]).toEqual([200, 'enough'])
    // Half a request is no place for another one.
    await until(() => backend.sockets.size === 0)
  })

  it('does any of this to any visitor gives each its own bytes or none', async () => {
    const acts: Act[] = [
      (socket, own, path) => socket.write(honest(own, path)),
      (socket, own, path) => socket.write(honest(own, path)),
      (socket, own, path) => void trickle(socket, honest(own, path), 0),
      (socket, own, path) => socket.end(honest(own, path)),
      (socket, own, path) =>
        socket.write(Buffer.concat([honest(own, path), honest(own, '/other')])),
      (socket, own, path) => socket.end(honest(own, path).subarray(0, 60)),
      (socket) => socket.destroy(),
      (socket) => socket.resetAndDestroy(),
      (socket) => socket.write(latin1('\0garbage\r\n\r\n')),
    ]
    // Requests have no names in HTTP/1.1: what a server says late answers the next one there.
    const named = tongue.scheme !== 'http' && tongue.scheme !== 'puwsgi'
    if (named) {
      acts.push((socket, own, path) => {
        socket.write(honest(own, path))
        setTimeout(() => socket.destroyed || socket.write(honest(own, '/other')), 3)
      })
    }
    let turn = 0
    const backend = await actor(tongue, (socket, own, path) => {
      acts[(turn++ * 7) % acts.length]!(socket, own, path)
    })
    const port = await portBefore(tongue, [backend])
    let right = 0
    const visitor = async (from: number): Promise<void> => {
      for (let i = from; i < from + 40; i++) {
        const got = await get(port, `/visitor-${i}`)
        if (got.status === 200 && !got.cut) {
          expect(got.body).toBe(`/visitor-${i}`)
          right++
        } else expect([200, 502, 504]).toContain(got.status)
        expect(got.body).not.toContain('other')
      }
    }
    await Promise.all([100, 200, 300, 400].map(visitor))
    expect(right).toBeGreaterThan(40)
  })
})

describe('fastcgi: a server that', () => {
  const tongue = tongues.at(-1)!
  const lie = (...parts: readonly Buffer[]): Promise<Got> =>
    ask(tongue, (socket) => socket.write(Buffer.concat(parts)))
  const head = out('Content-Type: a/b\r\n\r\n')

  it.each([
    ['an answer to another request', encodeStream(RecordType.STDOUT, 2, latin1('X: y\r\n\r\n'))],
    ['an end of another request', Buffer.concat([head, ended(0, 2)])],
    ['another version', latin1('\x02\x06\0\x01\0\0\0\0')],
    ['a record of the other direction', encodeStream(RecordType.STDIN, 1, latin1('x'))],
    ['an unknown record', recordHead(99, 1, 0, 0)],
    ['a management record', recordHead(RecordType.GET_VALUES_RESULT, 0, 0, 0)],
    ['STDOUT behind its end', Buffer.concat([head, recordHead(6, 1, 0, 0), out('x')])],
    ['an end that is too short', Buffer.concat([head, recordHead(3, 1, 0, 0)])],
    ['an end without an answer', ended()],
    ['a role that it does not know', ended(3)],
  ])('sends %s is a 502, or cut', async (_name, bytes) => {
    const got = await lie(bytes)
    expect(got.status === 502 || got.cut).toBe(true)
  })

  it('is overloaded is a 503, and another one is asked', async () => {
    expect((await lie(ended(2))).status).toBe(503)
    const busy = await actor(tongue, (socket) => socket.write(ended(2)))
    const free = await actor(tongue, (socket, own, path) => socket.write(honest(own, path)))
    const port = await portBefore(tongue, [busy, free])
    for (let i = 0; i < 4; i++) expect((await get(port, `/visitor-${i}`)).status).toBe(200)
  })

  it('is overloaded in the midst of an answer: nobody else answers the rest', async () => {
    const busy = await actor(tongue, (socket, own) => {
      socket.write(Buffer.concat([own.head('Content-Length: 9\r\n'), own.body('one ')]))
      setTimeout(() => socket.write(ended(2)), 50)
    })
    let asked = 0
    const free = await actor(tongue, (socket, own) => {
      asked++
      socket.write(honest(own, 'other'))
    })
    const port = await portBefore(tongue, [busy, free])
    for (let i = 0; i < 2; i++) {
      const got = await get(port, `/visitor-${i}`)
      expect(got.body === 'other' || got.cut).toBe(true)
    }
    expect(asked).toBe(1)
  })

  it('reports endlessly is heard as far as a log can bear', async () => {
    const lines: string[] = []
    const report = encodeStream(
      RecordType.STDERR,
      1,
      latin1(`${'x\x1b'.repeat(5_000)}\nforged\r\n`),
    )
    const backend = await actor(tongue, (socket) =>
      socket.write(Buffer.concat([...Array(200).fill(report), honest(tongue, 'truth')])),
    )
    const log = (line: string): void => void lines.push(line)
    const port = await portBefore(tongue, [backend], {}, { log })
    expect((await get(port, '/visitor-1')).body).toBe('truth')
    expect(lines.length).toBeLessThan(70)
    expect(lines.every((line) => line.length < 9_000 && !/[\x00-\x1f]/.test(line))).toBe(true)
    expect(lines[0]).toMatch(/: GET \/visitor-1: x\\x1bx/)
  })

  it('is told when the visitor leaves', async () => {
    let last = NOTHING
    const backend = await rawBackend((socket) => {
      socket.on('data', (chunk: Buffer) => {
        last = Buffer.concat([last, chunk])
      })
    })
    const port = await portBefore(tongue, [backend], { responseTimeoutMs: 5_000 })
    const asked = get(port, '/visitor-1', {
      prepare: (request) => setTimeout(() => request.destroy(), 100),
    })
    await expect(asked).rejects.toThrow()
    await until(() => backend.sockets.size === 0)
    expect(last.subarray(-8)).toEqual(recordHead(RecordType.ABORT_REQUEST, 1, 0, 0))
  })
})
