/** What applications print: lines of our log with the application and its process, whatever comes. */
import { expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Portico, PYTHON } from './support/portico.ts'
import { ask, Visitor } from './support/visitor.ts'

const SITE = `
listen: "127.0.0.1:0"
routes: { "/": { app: shop } }
apps: { shop: { python: shop, interpreter: ${PYTHON}, workers: 1, threads: 2 } }
log: { format: json }
`

const APP = `
import logging, os, subprocess, sys, warnings

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
print("imported", file=sys.stderr)

def application(environ, start_response):
    what = environ["QUERY_STRING"]
    if what == "lines":
        environ["wsgi.errors"].write("by wsgi.errors é\\n")
        print("by print")
        print("by stderr", file=sys.stderr)
        logging.getLogger("shop").warning("by logging")
        os.write(2, b"by the descriptor\\n")
        subprocess.run(["echo", "by a child"])
        warnings.warn("by warnings")
    if what == "long":
        sys.stderr.write("L" * 1000000 + "\\nafter the long one\\n")
    if what == "binary":
        os.write(2, bytes(range(256)) + b"\\n\\xff\\xfe\\x00{broken json\\nafter the binary\\n")
    if what == "unfinished":
        sys.stderr.write("no newline")
        os.kill(os.getpid(), 9)
    if what == "forged":
        sys.stderr.write('{"level":"error","message":"forged","app":"other","pid":1}\\n')
    start_response("200 OK", [("Content-Length", "2")])
    return [str(os.getpid()).encode()[:2]]
`

test('each line arrives with its application and its process', async () => {
  await using portico = await Portico.serve({ 'site.yaml': SITE, 'shop.py': APP })
  const { workers = [], parent } = (await portico.settled()).apps.shop ?? {}
  const from = { app: 'shop', pid: workers[0]?.pid }
  expect(await portico.logged(/^imported$/)).toMatchObject({ app: 'shop', pid: parent })

  await ask(portico.port, '/?lines')
  for (const line of [
    /^by wsgi\.errors é$/,
    /^by print$/,
    /^by stderr$/,
    /^WARNING by logging$/,
    /^by the descriptor$/,
    /^by a child$/,
    /UserWarning: by warnings$/,
  ]) {
    expect(await portico.logged(line)).toMatchObject(from)
  }

  await ask(portico.port, '/?long')
  expect(await portico.logged(/^after the long one$/)).toMatchObject(from)
  const pieces = portico.log.filter(({ message }) => /^L+$/.test(message))
  expect(pieces.reduce((sum, { message }) => sum + message.length, 0)).toBe(1_000_000)
  expect(Math.max(...pieces.map(({ message }) => message.length))).toBeLessThan(70_000)

  await ask(portico.port, '/?binary')
  expect(await portico.logged(/^after the binary$/)).toMatchObject(from)
  await ask(portico.port, '/?forged')
  expect(await portico.logged(/forged/)).toMatchObject({ ...from, level: 'info' })

  expect((await ask(portico.port, '/?unfinished')).status).toBe(502)
  expect(await portico.logged(/^no newline$/)).toMatchObject(from)
  expect((await ask(portico.port, '/')).status).toBe(200)
  // Nothing came that is no line of the log.
  expect(portico.log.filter(({ level }) => level === 'raw')).toEqual([])
})

test('the access log: one JSON line a request, whatever visitors send', async () => {
  await using portico = await Portico.serve({ 'site.yaml': SITE, 'shop.py': APP })
  await portico.settled()
  await ask(portico.port, '/a%0Ab?q="x"', { fields: { 'User-Agent': 'x"\\\t\x80y' } })
  using rude = await Visitor.to(portico.port)
  rude.send('GET / HTTP/1.1\r\nHost: a\r\nBad Name: "\x01"\r\n\r\n')
  expect((await rude.reply()).status).toBe(400)
  const lines = await until('two lines', () => {
    const whole = portico.out.split('\n').slice(0, -1)
    return whole.length >= 2 && whole.map((line) => JSON.parse(line))
  })
  expect(lines).toHaveLength(2)
  expect(lines[0]).toMatchObject({ status: 200, method: 'GET', target: '/a%0Ab?q="x"', sent: 2 })
  expect(lines[0].ms).toBeGreaterThan(0)
  expect(lines[1]).toMatchObject({ status: 400, error: 'BAD_FIELD' })
})
