/** The life of PHP: failed starts, killed processes, deadlines, overload, reloads, and whom it runs as. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Load } from './support/load.ts'
import { CONTRACT, phpSite, servePhp } from './support/php.ts'
import { Portico } from './support/portico.ts'
import { kill, lookAt } from './support/processes.ts'
import { ask } from './support/visitor.ts'

const root = process.getuid?.() === 0
const FILES = { 'www/index.php': CONTRACT }

const PHPS = [
  ['php-fpm', ''],
  ['php-cgi', 'interpreter: php-cgi\n'],
] as const

const version = (n: number): string =>
  `<?php header('Content-Length: ' . strlen($body = 'version ${n}')); echo $body;`

/** php-fpm writes its titles over its environment, so its processes are not found by their mark. */
async function pidsOf(portico: Portico): Promise<number[]> {
  const { apps } = await portico.status()
  const { parent = 0, workers = [] } = apps.blog ?? {}
  const pids = [parent, ...workers.map(({ pid }) => pid)]
  expect(pids).toHaveLength(3)
  for (const pid of pids) expect(lookAt(pid)).not.toBeNull()
  return [...new Set([...pids, ...portico.processes().map(({ pid }) => pid)])]
}

const allEnded = (pids: readonly number[]): boolean => pids.every((pid) => lookAt(pid) === null)

/** Requests that may go over a used connection, and some that may not. */
const alternating = (n: number): string =>
  n % 5 === 0
    ? 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\na=1'
    : 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'

describe.each(PHPS)('%s', (name, app) => {
  test('workers and master that are killed are replaced', async () => {
    await using portico = await servePhp(FILES, { app })
    const before = (await portico.status()).apps.blog
    kill(before?.workers[0]?.pid ?? 0)
    const replaced = await until('another worker', async () => {
      const { apps } = await portico.status()
      return apps.blog?.workers.length === 2 &&
        apps.blog.workers[0]?.pid !== before?.workers[0]?.pid
        ? apps.blog
        : undefined
    })
    if (name === 'php-fpm') {
      expect(replaced.restarts).toBe(1)
      await portico.logged(/worker died \(SIGKILL\); replaced at once/)
    }
    expect((await ask(portico.port, '/')).status).toBe(200)

    kill(replaced.parent)
    await portico.logged(/PHP .* of blog died \(SIGKILL\); starting it again at once/)
    // Visitors wait meanwhile.
    expect(await ask(portico.port, '/a')).toMatchObject({ status: 200, text: 'contract GET /a' })
    const after = (await portico.status()).apps.blog
    expect(after?.parent).not.toBe(replaced.parent)
    for (const { pid } of replaced.workers) expect(lookAt(pid)).toBeNull()
  })

  test('a request past its deadline: 504, its worker is free again', async () => {
    await using portico = await servePhp(FILES, { app: `${app}deadline: 1s\n` })
    const hanging = Promise.all([1, 2].map((n) => ask(portico.port, `/?do=sleep&s=60&n=${n}`)))
    expect(await hanging).toMatchObject([{ status: 504 }, { status: 504 }])
    await portico.logged(/request exceeded its deadline: GET \/\?do=sleep&s=60&n=1/)
    if (name === 'php-fpm') {
      // Where it hangs.
      const trace = await portico.logged(/usleep\(\).*stuck\(\) .*index\.php/s)
      expect(trace).toMatchObject({ level: 'error', app: 'blog' })
      await portico.logged(/worker died \(SIGKILL\); replaced at once/)
    }
    const reply = await ask(portico.port, '/b')
    expect(reply).toMatchObject({ status: 200, text: 'contract GET /b' })
  }, 20_000)

  test('an answer that has begun may take longer than the deadline', async () => {
    await using portico = await servePhp(FILES, { app: `${app}deadline: 1s\n` })
    expect((await ask(portico.port, '/?do=stream&n=16')).text).toMatch(/;15;$/)
    expect((await portico.status()).apps.blog?.restarts).toBe(0)
    expect(portico.messages).not.toMatch(/deadline|traced|slow/)
  }, 20_000)

  test('more visitors than workers wait; more than may wait get 503', async () => {
    await using portico = await servePhp(FILES, { app: `${app}queue: 2\n`, threads: 1 })
    const all = await Promise.all(
      Array.from({ length: 8 }, () => ask(portico.port, '/?do=sleep&s=0.5')),
    )
    const statuses = all.map(({ status }) => status).sort()
    expect(statuses).toEqual([200, 200, 200, 200, 503, 503, 503, 503])
  })

  test.each([1, 3])(
    '%d workers and four threads: nobody starves',
    async (workers) => {
      const files = { 'www/index.php': version(0) }
      await using portico = await servePhp(files, {
        app: `${app}workers: ${workers}\n`,
        threads: 4,
      })
      await using load = new Load(portico.port, { kept: 16, fresh: 4, request: alternating })
      await using idlers = new Load(portico.port, { kept: 8, fresh: 0, pauseMs: 50 })
      await sleep(3000)
      for (const result of [await load.stop(), await idlers.stop()]) {
        expect(result.lost).toEqual([])
        expect(Object.keys(result.statuses)).toEqual(['200'])
        expect(result.slowestMs).toBeLessThan(2000)
      }
      // Nothing is left over once it is quiet.
      await until('everything to be quiet', async () => {
        const { busy, waiting } = (await portico.status()).apps.blog ?? {}
        return busy === 0 && waiting === 0
      })
    },
    20_000,
  )

  test('reloads under load lose nothing, and new code is live', async () => {
    await using portico = await servePhp({ 'www/index.php': version(0) }, { app })
    const seen = new Set<string>()
    const { parent = 0, workers = [] } = (await portico.status()).apps.blog ?? {}
    const first = [parent, ...workers.map(({ pid }) => pid)]
    await using load = new Load(portico.port, {
      kept: 8,
      fresh: 2,
      answered: (_n, status, body) => seen.add(`${status} ${body}`),
    })
    for (let n = 1; n <= 4; n++) {
      portico.write('www/index.php', version(n))
      expect(await portico.run('reload')).toMatchObject({ code: 0 })
      expect((await ask(portico.port, '/')).text).toBe(`version ${n}`)
    }
    const result = await load.stop()
    expect(result.lost).toEqual([])
    expect(Object.keys(result.statuses)).toEqual(['200'])
    expect(seen).toContain('200 version 4')
    await until('the first generation to end', () => allEnded(first))
    await until('the others to end', async () => (await portico.status()).draining.length === 0)
  }, 60_000)

  test('nothing outlives a supervisor that is killed', async () => {
    await using portico = await servePhp(FILES, { app })
    const pids = await pidsOf(portico)
    kill(portico.pid)
    await until('the end of all processes', () => allEnded(pids))
  })

  test('nothing is left after a stop', async () => {
    const portico = await servePhp(FILES, { app })
    const pids = await pidsOf(portico)
    await portico[Symbol.asyncDispose]()
    expect(allEnded(pids)).toBe(true)
  })
})

test('a PHP that does not start is told in its own words, and the rest serves', async () => {
  await using portico = new Portico({
    ...FILES,
    'broken.sh':
      '#!/bin/sh\n[ "$1" = -v ] && exec php-fpm8.2 -v\necho "no such extension" >&2\nexit 78\n',
    'site.yaml': phpSite({ app: 'interpreter: ./broken.sh\n' }).replace(
      'routes:',
      'routes:\n  /ping: { respond: pong }',
    ),
  })
  execFileSync('chmod', ['-R', 'a+rX,a+x', portico.folder])
  await portico.ready()
  const line = await portico.logged(/application blog did not start/)
  expect(line.message).toMatch(/it ended at once \(exit code 78\)\nno such extension/)
  expect((await ask(portico.port, '/')).status).toBe(500)
  expect((await ask(portico.port, '/ping')).text).toBe('pong')
})

test('a setting that PHP refuses stops a reload', async () => {
  await using portico = await servePhp(FILES)
  portico.write('site.yaml', phpSite({ app: 'interpreter: /bin/true\n' }))
  const { code, err } = await portico.run('reload')
  expect(code).toBe(1)
  expect(err).toMatch(/\/bin\/true is no PHP/)
  expect((await ask(portico.port, '/')).status).toBe(200)
})

test('with --reload, what is edited is live at once, without a reload', async () => {
  const files = { 'www/index.php': version(0) }
  await using portico = await servePhp(files, {}, { args: ['--reload'] })
  for (let n = 1; n <= 3; n++) {
    portico.write('www/index.php', version(n))
    await until('the new version', async () => {
      const { text } = await ask(portico.port, '/')
      return text === `version ${n}`
    })
  }
  expect((await portico.status()).generation).toBe(1)
})

test.runIf(root)('with `user:` every process of PHP is that user', async () => {
  await using portico = await servePhp(FILES)
  const uid = Number(execFileSync('id', ['-u', 'www-data'], { encoding: 'utf8' }))
  const pids = await pidsOf(portico)
  const others = pids.filter((pid) => pid !== portico.pid)
  expect(others.map((pid) => lookAt(pid)?.user)).toEqual(others.map(() => uid))
})

test.runIf(root)('without `user:` scripts still are not root', async () => {
  await using portico = await servePhp(FILES, { site: '' })
  expect((await ask(portico.port, '/?do=ids')).text).toMatch(/^\d+ [1-9]\d* [1-9]\d*$/)
})

test('an application in a folder of an odd name, with odd settings', async () => {
  const odd = `it's "odd"; $pool \${HOME} é`
  await using portico = new Portico({
    [`${odd}/index.php`]:
      '<?php echo json_encode([__DIR__, ini_get("user_agent"), getenv("ODD")]);',
    'site.yaml': phpSite({
      app: `ini: { user_agent: "it's ; a 'test' \\"x\\"" }\nenv: { ODD: "a\\nb ; $c" }\n`,
    }).replace('php: ./www', () => `php: ${JSON.stringify(`./${odd.replace(/\$/g, () => '$$')}`)}`),
  })
  execFileSync('chmod', ['755', portico.folder])
  await portico.ready()
  await portico.settled()
  const folder = join(portico.folder, odd)
  expect(existsSync(folder)).toBe(true)
  const { text } = await ask(portico.port, '/x')
  expect(JSON.parse(text)).toEqual([folder, `it's ; a 'test' "x"`, 'a\nb ; $c'])
})
