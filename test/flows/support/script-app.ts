/** What an application behind a bridge program owes to visitors: over Perl's and over Ruby's. */
import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../../supervisor/site.ts'
import { Load } from './load.ts'
import { Portico } from './portico.ts'
import { kill } from './processes.ts'
import { ask } from './visitor.ts'

/** Applications with every way to answer. */
const BRIDGES = new URL('../../apps', import.meta.url).pathname

export interface ScriptApp {
  /** The key of the site file. */
  readonly kind: 'psgi' | 'rack'
  /** The application in `test/apps`. */
  readonly file: string
  /** One that answers every request with `text`. */
  readonly answering: (text: string) => string
  /** Where the stack of a request that sleeps names its function. */
  readonly napping: RegExp
}

const MB = 1_000_000

export function scriptAppSuite({ kind, file, answering, napping }: ScriptApp): void {
  const site = (more = ''): string => `
listen: "127.0.0.1:0"
threads: 2
limits: { body: 64MB }
routes: { /: { app: shop }, /at/: { app: shop } }
apps: { shop: { ${kind}: ${BRIDGES}/${file}, dir: ${BRIDGES}, workers: 2${more} } }
`
  let portico: Portico
  let port: number
  beforeAll(async () => {
    portico = await Portico.serve({ 'site.yaml': site() })
    await portico.settled()
    port = portico.port
  }, 60_000)
  afterAll(() => portico[Symbol.asyncDispose]())

  test('requests and answers', async () => {
    expect(await ask(port, '/tuple')).toMatchObject({ status: 200, text: 'one two three' })
    expect(await ask(port, '/tuple', { method: 'HEAD' })).toMatchObject({ status: 200, text: '' })
    expect(await ask(port, '/nothing')).toMatchObject({ status: 404, text: 'nothing here\n' })
    expect((await ask(port, '/status?status=204')).status).toBe(204)
    const { fields } = await ask(port, '/fields')
    expect(fields).toMatchObject({ 'set-cookie': 'a=1\nb=2', server: 'mine' })
    const environ = JSON.parse((await ask(port, '/at/environ?a=b%20c')).text)
    expect(environ).toMatchObject({ SCRIPT_NAME: '/at', PATH_INFO: '/environ' })
    expect(environ).toMatchObject({ QUERY_STRING: 'a=b%20c', HTTP_HOST: 'localhost' })
  })

  test('streams piece by piece; a large body each way, several at once', async () => {
    const steps = await ask(port, '/steps')
    expect(steps).toMatchObject({ text: '0;1;2;' })
    expect(steps.chunks).toHaveLength(3)
    expect(steps.chunks[2]! - steps.chunks[0]!).toBeGreaterThan(200)
    const bodies = Array.from({ length: 3 }, () => randomBytes(20 * MB))
    const digests = await Promise.all(bodies.map((body) => ask(port, '/digest', { body })))
    expect(digests.map(({ text }) => text)).toEqual(
      bodies.map((body) => `${20 * MB} ${createHash('sha256').update(body).digest('hex')}`),
    )
    const large = await Promise.all([1, 2, 3].map(() => ask(port, `/stream?size=${20 * MB}`)))
    for (const { body } of large) expect(body.length).toBe(20 * MB)
    const whole = await ask(port, `/file?path=${process.execPath}`)
    expect(whole.body.length).toBe(Number(whole.fields['content-length']))
    expect(whole.body.length).toBeGreaterThan(MB)
  }, 30_000)

  test('interim answers go out before', async () => {
    expect(await ask(port, '/informs')).toMatchObject({ interim: [103], text: 'informed' })
  })

  test('an exception is 500 for the visitor, who sees nothing of it, and a stack in the log', async () => {
    const from = portico.log.length
    const reply = await ask(port, '/raises')
    expect(reply.status).toBe(500)
    expect(reply.text).not.toMatch(/on purpose/)
    await portico.logged(/GET \/raises: the application failed/, from)
    await portico.logged(new RegExp(`${file}.*line \\d|${file}:\\d`), from)
    await expect(ask(port, '/raises-late')).rejects.toThrow('the connection ended')
    expect((await ask(port, '/tuple')).status).toBe(200)
  })

  test('with `dev`, the visitor sees the stack', async () => {
    await using dev = await Portico.serve({ 'site.yaml': site() }, { args: ['--dev'] })
    const reply = await ask(dev.port, '/raises')
    expect(reply.status).toBe(500)
    expect(reply.text).toMatch(/on purpose/)
  }, 30_000)

  test('what is past its deadline is 504, its stack is logged, the worker replaced', async () => {
    await using strict = await Portico.serve({ 'site.yaml': site(', deadline: 1s') })
    await strict.settled()
    const began = performance.now()
    const stuck = ask(strict.port, '/sleep?seconds=60')
    await sleep(200)
    for (let i = 0; i < 5; i++) expect((await ask(strict.port, '/tuple')).status).toBe(200)
    expect((await stuck).status).toBe(504)
    expect(performance.now() - began).toBeLessThan(3_000)
    await strict.logged(/worker exceeded its deadline: GET \/sleep/)
    await strict.logged(napping)
    await strict.logged(/worker died \(SIGKILL\)/)
    await until('both workers', async () => (await strict.status()).apps.shop?.connected === 2)
  }, 30_000)

  test('a killed worker: its request is 502, the next ones are answered', async () => {
    const held = ask(port, '/sleep?seconds=5', { method: 'POST' })
    await sleep(300)
    const { workers } = (await portico.status()).apps.shop!
    const busy = workers.map(({ pid }) => pid)
    for (const pid of busy) kill(pid)
    expect((await held).status).toBe(502)
    await until('new workers', async () => {
      const shop = (await portico.status()).apps.shop!
      return shop.connected === 2 && shop.workers.every(({ pid }) => !busy.includes(pid))
    })
    expect((await ask(port, '/tuple')).status).toBe(200)
  })

  test('reloads under load lose nothing, and the new code is live', async () => {
    const path = `app.${kind === 'psgi' ? 'psgi' : 'ru'}`
    const own = `
listen: "127.0.0.1:0"
routes: { /: { app: shop } }
apps: { shop: { ${kind}: ./${path}, workers: 2 } }
`
    await using reloaded = await Portico.serve({ 'site.yaml': own, [path]: answering('version 0') })
    await reloaded.settled()
    const seen = new Set<string>()
    await using load = new Load(reloaded.port, {
      kept: 8,
      fresh: 3,
      answered: (_n, status, body) => seen.add(`${status} ${body}`),
    })
    for (let version = 1; version <= 5; version++) {
      reloaded.write(path, answering(`version ${version}`))
      expect(await reloaded.run('reload')).toMatchObject({ code: 0 })
      await until('the new code', () => seen.has(`200 version ${version}`))
    }
    reloaded.write(path, 'this is no program (')
    expect(await reloaded.run('reload')).toMatchObject({ code: 1 })
    const { sent, answered, lost, statuses } = await load.stop()
    expect(lost).toEqual([])
    expect(answered).toBe(sent)
    expect(Object.keys(statuses)).toEqual(['200'])
    expect(seen.size).toBe(6)
  }, 60_000)
}
