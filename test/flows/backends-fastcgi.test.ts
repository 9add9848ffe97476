/** Portico before Debian's php-fpm and fcgiwrap: what FastCGI servers do that uWSGI does not. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Backend, fcgiwrap, phpFpm } from './support/backends.ts'
import { Portico } from './support/portico.ts'
import { type Ask, ask, type Reply, Visitor } from './support/visitor.ts'

describe('php-fpm', () => {
  let backend: Backend
  let portico: Portico

  beforeAll(async () => {
    // A worker leaves after 5 requests: kept connections end under us again and again.
    backend = await phpFpm('pm.max_requests = 5')
    const server = `proxy: "fastcgi://unix:${backend.path('fastcgi')}", body: 0`
    portico = await Portico.serve({
      'kept/file.txt': 'what was kept',
      'site.yaml': `
listen: "127.0.0.1:0"
threads: 1
hosts:
  php.test:
    /: { ${server}, root: "${backend.folder}", send-files: { /kept/: ./kept }, params: { LEFT: "${backend.path('left')}" } }
  kept.test:
    /: { proxy: kept }
  front.test:
    /: { ${server}, root: "${backend.folder}", script: "${backend.path('index.php')}" }
pools:
  kept: { servers: ["fastcgi://unix:${backend.path('fastcgi')}"], root: "${backend.folder}", keep-alive: 4 }
`,
    })
  })

  afterAll(async () => {
    await portico?.[Symbol.asyncDispose]()
    await backend?.[Symbol.asyncDispose]()
  })

  const get = (path: string, request: Ask = {}): Promise<Reply> =>
    ask(portico.port, path, { ...request, fields: { Host: 'php.test', ...request.fields } })

  test('runs the script of a path, with the rest of it as PATH_INFO', async () => {
    const told = async (path: string, host = 'php.test'): Promise<Record<string, string>> =>
      JSON.parse((await get(path, { fields: { Host: host } })).text)
    const script = backend.path('index.php')
    expect(await told('/?do=environ')).toMatchObject({
      SCRIPT_FILENAME: script,
      SCRIPT_NAME: '/index.php',
      DOCUMENT_ROOT: backend.folder,
      DOCUMENT_URI: '/index.php',
      PHP_SELF: '/index.php',
      REQUEST_URI: '/?do=environ',
      CONTENT_LENGTH: '',
      GATEWAY_INTERFACE: 'CGI/1.1',
      SERVER_SOFTWARE: 'Portico',
      REQUEST_SCHEME: 'http',
    })
    expect(await told('/index.php/a%20b/c?do=environ')).toMatchObject({
      SCRIPT_FILENAME: script,
      SCRIPT_NAME: '/index.php',
      PATH_INFO: '/a b/c',
      PATH_TRANSLATED: `${backend.folder}/a b/c`,
      PHP_SELF: '/index.php/a b/c',
    })
    expect(await told('/any/where?do=environ', 'front.test')).toMatchObject({
      SCRIPT_FILENAME: script,
      SCRIPT_NAME: '',
      PATH_INFO: '/any/where',
    })
  })

  test('runs nothing that is no script, whatever follows it', async () => {
    backend.write('picture.jpg', '<?php echo "run";')
    for (const path of [
      '/picture.jpg',
      '/picture.jpg/x.php',
      '/picture.jpg/index.php',
      '/picture.jpg%00.php',
    ]) {
      const reply = await get(path)
      expect(reply.text).not.toContain('run')
      expect(reply.status).toBeGreaterThanOrEqual(400)
    }
    backend.remove('picture.jpg')
  })

  test.each([
    ['new', 'php.test'],
    ['kept', 'kept.test'],
  ])('answers over %s connections, though its workers come and go', async (_kind, host) => {
    const replies = await Promise.all(
      Array.from({ length: 8 }, async () => {
        using visitor = await Visitor.to(portico.port)
        const statuses: number[] = []
        for (let i = 0; i < 25; i++) {
          const reply = await visitor.ask('/', { fields: { Host: host } })
          statuses.push(reply.text === 'hello' ? reply.status : 0)
        }
        return statuses
      }),
    )
    expect(replies.flat().filter((status) => status !== 200)).toEqual([])
  })

  test.each([1, 70_000, 3_000_000])(
    'takes %i bytes, of known length and in chunks',
    async (size) => {
      const body = randomBytes(size)
      const known = await get('/?do=echo', { body })
      expect(known.fields['x-length']).toBe(String(size))
      expect(known.body.equals(body)).toBe(true)
      using visitor = await Visitor.to(portico.port)
      visitor.send(
        'POST /?do=echo HTTP/1.1\r\nHost: php.test\r\nTransfer-Encoding: chunked\r\n\r\n',
      )
      visitor.send(`${size.toString(16)}\r\n`).send(body)
      const chunked = await visitor.send('\r\n0\r\n\r\n').reply('POST')
      expect(chunked.fields['x-length']).toBe(String(size))
      expect(chunked.body.equals(body)).toBe(true)
    },
  )

  test('sends 20 MB whole, and nothing to HEAD', async () => {
    const reply = await get('/?do=big&size=20000000')
    expect(reply.body.length).toBe(20_000_000)
    expect(reply.body.every((byte, i) => byte === i % 256)).toBe(true)
    expect((await get('/?do=big&size=20000000', { method: 'HEAD' })).text).toBe('')
    expect((await get('/')).text).toBe('hello')
  })

  test('streams', async () => {
    const reply = await get('/?do=drip')
    expect(reply.text).toBe('drips')
    expect(reply.chunks.length).toBeGreaterThanOrEqual(4)
    expect(reply.chunks.at(-1)! - reply.chunks[0]!).toBeGreaterThan(250)
  })

  test('has status, cookies and Location passed on', async () => {
    expect((await get('/?do=status&is=418')).status).toBe(418)
    expect((await get('/?do=status&is=304')).status).toBe(304)
    expect((await get('/?do=unsized')).fields['set-cookie']).toBe('a=1\nb=2')
    for (const to of ['/elsewhere', 'https://other.example/']) {
      const reply = await get(`/?do=location&to=${encodeURIComponent(to)}`)
      expect([reply.status, reply.fields.location]).toEqual([302, to])
    }
  })

  test('reports to our log, a line a line, with nothing that moves a cursor', async () => {
    const reply = await get('/?do=fatal')
    expect(reply.status).toBe(500)
    expect(reply.text).not.toContain('RuntimeException')
    const line = await portico.logged(/a line\\x1b\[31m of red/)
    expect(line.level).toBe('warn')
    expect(line.message).toMatch(/^fastcgi:\/\/unix:.*: GET \/\?do=fatal: /)
    await portico.logged(/RuntimeException: it broke/)
  })

  test('hears that a visitor has left', async () => {
    using visitor = await Visitor.to(portico.port)
    visitor.send('GET /?do=endless HTTP/1.1\r\nHost: php.test\r\n\r\n')
    await visitor.read()
    const began = performance.now()
    visitor.leave()
    expect(await backend.wrote('left')).toBe('left')
    expect(performance.now() - began).toBeLessThan(2_000)
  })

  test('has a file sent', async () => {
    const reply = await get('/?do=send&by=X-Accel-Redirect&path=/kept/file.txt')
    expect([reply.status, reply.text, reply.fields['content-type']]).toEqual([
      200,
      'what was kept',
      'text/x-backend;charset=UTF-8',
    ])
  })

  test('that is killed in an answer cuts it, and serves again when it is back', async () => {
    using visitor = await Visitor.to(portico.port)
    visitor.send('GET /?do=endless HTTP/1.1\r\nHost: php.test\r\n\r\n')
    await visitor.read()
    await backend.killAll()
    expect((await visitor.end()).toString()).not.toMatch(/\r\n0\r\n\r\n$/)
    expect((await get('/')).status).toBe(502)
    await backend.start()
    expect((await get('/')).text).toBe('hello')
  })
})

describe('fcgiwrap', () => {
  test('runs a program, with its errors in our log', async () => {
    await using backend = await fcgiwrap()
    const script = backend.write(
      'program.sh',
      `#!/bin/sh
echo "Status: 201 Created"
echo "Content-Type: text/plain"
echo
echo "$REQUEST_METHOD $PATH_INFO $SCRIPT_NAME $CONTENT_TYPE"
cat
echo complaint >&2
`,
      0o755,
    )
    await using portico = await Portico.serve({
      'site.yaml': `
listen: "127.0.0.1:0"
threads: 1
routes:
  /run/: { proxy: "fastcgi://unix:${backend.path('fastcgi')}", script: "${script}" }
`,
    })
    const reply = await ask(portico.port, '/run/this', {
      body: 'the body',
      fields: { 'Content-Type': 'text/x' },
    })
    expect([reply.status, reply.text]).toEqual([201, 'POST /this /run text/x\nthe body'])
    await portico.logged(/POST \/run\/this: complaint/)
  })
})
