import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ListeningSockets } from '../../src/listen/sockets.ts'
import type { Address, ListenerPlan } from '../../src/site/plan.ts'

function listener(address: Address): ListenerPlan {
  return { name: 'test', scheme: 'http', address, backlog: 128, proxyProtocol: false }
}

function tcp(port: number, host = '127.0.0.1'): ListenerPlan {
  return listener({ kind: 'tcp', host, port })
}

function portOf(address: Address | undefined): number {
  if (address?.kind !== 'tcp') throw new Error('not a TCP address')
  return address.port
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Whether a connection to the port is taken. */
function taken(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host)
    socket.on('connect', () => resolve(true))
    socket.on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}

test('port 0: the kernel chooses one port and all threads share it', async () => {
  const sockets = new ListeningSockets()
  const prepared = await sockets.prepare([tcp(0)], 3)
  prepared.commit()
  const port = portOf(prepared.addresses[0])
  expect(port).toBeGreaterThan(0)
  expect(new Set(prepared.sockets[0]).size).toBe(3)
  const counts = [0, 0, 0]
  const servers = (prepared.sockets[0] ?? []).map((fd, i) => {
    const server = createServer((socket) => {
      counts[i] = (counts[i] ?? 0) + 1
      socket.end()
    })
    server.listen({ fd })
    return server
  })
  for (let i = 0; i < 90; i += 1) expect(await taken(port)).toBe(true)
  expect(counts.reduce((sum, count) => sum + count)).toBe(90)
  expect(Math.min(...counts)).toBeGreaterThan(5)
  for (const server of servers) server.close()
})

test('"::" takes IPv4 and IPv6 alike', async () => {
  const sockets = new ListeningSockets()
  const prepared = await sockets.prepare([tcp(0, '::')], 1)
  prepared.commit()
  const port = portOf(prepared.addresses[0])
  expect(await taken(port)).toBe(true)
  const [bound] = prepared.addresses
  if (bound?.kind === 'tcp' && bound.host === '::') expect(await taken(port, '::1')).toBe(true)
  sockets.close()
  expect(await taken(port)).toBe(false)
})

test('a name is resolved', async () => {
  const sockets = new ListeningSockets()
  const prepared = await sockets.prepare([tcp(0, 'localhost')], 1)
  prepared.commit()
  expect(prepared.addresses[0]).toMatchObject({ host: '127.0.0.1' })
  sockets.close()
})

test('a port in use names the program that holds it', async () => {
  const holder = spawn(
    'python3',
    [
      '-uc',
      'import socket,time; s=socket.create_server(("127.0.0.1",0)); print(s.getsockname()[1]); time.sleep(30)',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const [chunk] = await once(holder.stdout, 'data')
  const port = Number(String(chunk))
  const sockets = new ListeningSockets()
  await expect(sockets.prepare([tcp(port)], 2)).rejects.toMatchObject({
    code: 'EADDRINUSE',
    message: expect.stringMatching(
      new RegExp(
        `^cannot listen on 127.0.0.1:${port}: the port is in use by python.* \\(pid ${holder.pid}\\)`,
      ),
    ),
  })
  holder.kill()
})

test('a port of datagrams in use: the message names the program that holds it', async () => {
  const holder = spawn(
    'python3',
    [
      '-uc',
      'import socket,time; s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1",0)); print(s.getsockname()[1]); time.sleep(30)',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const [chunk] = await once(holder.stdout, 'data')
  const port = Number(String(chunk))
  const wanted = { ...tcp(port), scheme: 'udp' } as const
  await expect(new ListeningSockets().prepare([wanted], 2)).rejects.toMatchObject({
    code: 'EADDRINUSE',
    message: expect.stringMatching(
      new RegExp(
        `^cannot listen on 127.0.0.1:${port}: the port is in use by python.* \\(pid ${holder.pid}\\)`,
      ),
    ),
  })
  holder.kill()
})

test('a second group does not slip into the port of the first, as SO_REUSEPORT would allow', async () => {
  const first = new ListeningSockets()
  const prepared = await first.prepare([tcp(0)], 2)
  prepared.commit()
  const second = new ListeningSockets()
  await expect(second.prepare([tcp(portOf(prepared.addresses[0]))], 2)).rejects.toThrow(
    /the port is in use by another listener of this site/,
  )
  first.close()
})

test('a failure closes what was opened for the same plan', async () => {
  const blocker = createServer()
  const port = await listening(blocker)
  const free = createServer()
  const freePort = await listening(free)
  free.close()
  await once(free, 'close')
  const sockets = new ListeningSockets()
  await expect(sockets.prepare([tcp(freePort), tcp(port)], 2)).rejects.toThrow(/in use/)
  expect(await taken(freePort)).toBe(false)
  blocker.close()
})

test('a reload keeps, opens and closes exactly what the plans say', async () => {
  const sockets = new ListeningSockets()
  const before = await sockets.prepare([tcp(0), tcp(0)], 1)
  before.commit()
  const [kept, goes] = before.addresses.map(portOf)
  const other = createServer()
  const fresh = await listening(other)
  other.close()
  await once(other, 'close')
  const after = await sockets.prepare([tcp(0), tcp(fresh)], 3)
  expect(await taken(goes ?? 0)).toBe(true)
  after.commit()
  expect(after.addresses.map(portOf)).toEqual([kept, fresh])
  expect(after.sockets.map((group) => group.length)).toEqual([3, 3])
  expect(after.sockets[0]?.[0]).toBe(before.sockets[0]?.[0])
  expect(await taken(goes ?? 0)).toBe(false)
  const fewer = await sockets.prepare([tcp(0), tcp(fresh)], 1)
  expect(fewer.sockets.map((group) => group.length)).toEqual([3, 3])
  const given = await sockets.prepare([tcp(0), tcp(0)], 1)
  const givenUp = portOf(given.addresses[1])
  given.abort()
  expect(await taken(givenUp)).toBe(false)
  expect(await taken(fresh)).toBe(true)
  sockets.close()
})

test('the same port on another address of ours may be added while the old one serves', async () => {
  const sockets = new ListeningSockets()
  const before = await sockets.prepare([tcp(0, '::')], 2)
  before.commit()
  const port = portOf(before.addresses[0])
  const after = await sockets.prepare([tcp(port, '127.0.0.1')], 2)
  after.commit()
  expect(await taken(port)).toBe(true)
  sockets.close()
})

test('an address that is not of this machine, and a name that does not exist', async () => {
  const sockets = new ListeningSockets()
  await expect(sockets.prepare([tcp(0, '192.0.2.1')], 1)).rejects.toThrow(
    /cannot listen on 192.0.2.1:0: this machine has no address 192.0.2.1/,
  )
  await expect(sockets.prepare([tcp(8080, 'nowhere.invalid')], 1)).rejects.toThrow(
    /no such host: nowhere.invalid/,
  )
})

test.runIf(process.getuid?.() === 0)('a privileged port as an ordinary user', () => {
  const program = `
    import { ListeningSockets } from '${new URL('../../src/listen/sockets.ts', import.meta.url)}'
    process.setgid(65534); process.setuid(65534)
    const address = { kind: 'tcp', host: '127.0.0.1', port: 1 }
    await new ListeningSockets().prepare([{ name: 'x', scheme: 'http', address, backlog: 1, proxyProtocol: false }], 1)
      .catch((error) => console.log(error.code, error.message))`
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', program])
  expect(run.stdout.toString()).toMatch(
    /^EACCES cannot listen on 127.0.0.1:1: ports below 1024 need root or the capability/,
  )
})

test('unix: everybody may connect; a stale file is replaced, a live one is not', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'portico-listen-')), 'site.sock')
  const first = new ListeningSockets()
  const prepared = await first.prepare([listener({ kind: 'unix', path })], 4)
  prepared.commit()
  expect(prepared.sockets[0]).toHaveLength(1)
  expect(statSync(path).mode & 0o777).toBe(0o666)
  const second = new ListeningSockets()
  await expect(second.prepare([listener({ kind: 'unix', path })], 1)).rejects.toThrow(
    `cannot listen on unix:${path}: another program listens on ${path}`,
  )
  first.close()
  expect(existsSync(path)).toBe(false)

  // Killed, a program leaves its file behind.
  const leave = `import socket; socket.socket(socket.AF_UNIX).bind(${JSON.stringify(path)})`
  spawnSync('python3', ['-c', leave])
  expect(existsSync(path)).toBe(true)
  const third = new ListeningSockets()
  ;(await third.prepare([listener({ kind: 'unix', path })], 1)).commit()
  third.close()
  expect(existsSync(path)).toBe(false)
})

test('unix: nothing but a socket is ever replaced; the folder must exist; the path has a bound', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-listen-'))
  const file = join(folder, 'precious')
  writeFileSync(file, 'data')
  const sockets = new ListeningSockets()
  const open = (path: string): Promise<unknown> =>
    sockets.prepare([listener({ kind: 'unix', path })], 1)
  await expect(open(file)).rejects.toThrow(/exists and is not a socket/)
  expect(statSync(file).size).toBe(4)
  await expect(open(join(folder, 'no', 'such.sock'))).rejects.toThrow(/its folder does not exist/)
  await expect(open(join(folder, 'x'.repeat(120)))).rejects.toThrow(/at most 10\d bytes/)
})

test('the file of a unix socket has the mode and the owner that the site says, also after a reload', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'portico-')), 'a.sock')
  const plan = listener({ kind: 'unix', path })
  const sockets = new ListeningSockets()
  const open = async (change: Partial<ListenerPlan>): Promise<string> => {
    const prepared = await sockets.prepare([{ ...plan, ...change }], 1)
    prepared.commit()
    const { mode, uid, gid } = statSync(path)
    return `${(mode & 0o777).toString(8)} ${uid} ${gid}`
  }
  try {
    expect(await open({ mode: 0o640 })).toBe(`640 ${process.getuid?.()} ${process.getgid?.()}`)
    expect(await open({})).toMatch(/^666 /)
    if (process.getuid?.() === 0) {
      const group = Number(spawnSync('id', ['-g', 'www-data'], { encoding: 'utf8' }).stdout)
      expect(await open({ owner: 'www-data:www-data' })).toBe(`666 ${group} ${group}`)
      expect(await open({ owner: ':root', mode: 0o660 })).toBe(`660 ${group} 0`)
    }
    await expect(open({ owner: 'nobody-of-that-name' })).rejects.toThrow(/nobody-of-that-name/)
  } finally {
    sockets.close()
  }
})
