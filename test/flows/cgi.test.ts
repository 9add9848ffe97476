/** CGI on the whole: what Debian packages as CGI, redirects, who programs are, and that none outlives us. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Portico, run } from './support/portico.ts'
import { kill, lookAt } from './support/processes.ts'
import { ask, Visitor } from './support/visitor.ts'

const GIT_BACKEND = '/usr/lib/git-core/git-http-backend'
const GITWEB = '/usr/share/gitweb/gitweb.cgi'
const CGIT = '/usr/lib/cgit/cgit.cgi'

const root = process.getuid?.() === 0
const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0]

const PROGRAMS = {
  'who.sh': 'echo "$(id -u) $(id -G) $HOME"',
  'waits.sh': 'sleep 300 & echo $$ $!; wait',
  'there.sh': 'echo "$REQUEST_METHOD $REQUEST_URI length $CONTENT_LENGTH type $CONTENT_TYPE"; cat',
}

/** A site with programs in `cgi-bin`, each begun with its head, and others as they are. */
async function serve(
  yaml: string,
  others: Readonly<Record<string, string>> = {},
): Promise<Portico> {
  const portico = new Portico({ 'public/page.html': 'a page', 'site.yaml': yaml })
  for (const [name, text] of Object.entries(PROGRAMS)) {
    others = { [name]: `#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\n${text}\n`, ...others }
  }
  for (const [name, text] of Object.entries(others)) {
    chmodSync(portico.write(`cgi-bin/${name}`, text), 0o755)
  }
  chmodSync(portico.folder, 0o755)
  await portico.ready()
  return portico
}

const SITE = `
listen: "127.0.0.1:0"
threads: 2
routes: { "/cgi-bin/": { cgi: ./cgi-bin }, "/": { files: ./public } }
`

describe('who programs are', () => {
  test.runIf(root)('nobody who is root, when nobody has said who', async () => {
    await using portico = await serve(SITE)
    const { text } = await ask(portico.port, '/cgi-bin/who.sh')
    expect(text).toMatch(/^[1-9]\d* [1-9]\d* \n$/)
    // A body in a file that only the server may open.
    const body = randomBytes(300_000).toString('hex')
    expect((await ask(portico.port, '/cgi-bin/there.sh', { body })).text).toContain(body)
  })

  test.runIf(root)('whom the site says', async () => {
    await using portico = await serve(`${SITE}user: daemon\n`)
    const id = execFileSync('id', ['-u', 'daemon'], { encoding: 'utf8' }).trim()
    expect((await ask(portico.port, '/cgi-bin/who.sh')).text.split(' ')[0]).toBe(id)
  })

  test('root on purpose, or who we are', async () => {
    await using portico = await serve(`${SITE}user: root\n`)
    expect((await ask(portico.port, '/cgi-bin/who.sh')).text).toMatch(`${uid} ${gid}`)
  })
})

test('a local Location is answered as if it had been asked for, within bounds', async () => {
  await using portico = await serve(SITE, {
    'to-page.sh': `#!/bin/sh\nprintf 'Location: /page.html\\n\\n'\n`,
    'to-program.sh': `#!/bin/sh\ncat >/dev/null; printf 'Location: /cgi-bin/there.sh?x=1\\n\\n'\n`,
    'circle.sh': `#!/bin/sh\nprintf 'Location: /cgi-bin/circle.sh\\n\\n'\n`,
    'bad.sh': `#!/bin/sh\nprintf 'Location: /a b\\n\\n'\n`,
    'lost.sh': `#!/bin/sh\nprintf 'Location: /nothing\\n\\n'\n`,
  })
  using visitor = await Visitor.to(portico.port)
  expect(await visitor.ask('/cgi-bin/to-page.sh')).toMatchObject({ status: 200, text: 'a page' })
  const body = 'x'.repeat(100_000)
  const fields = { 'Content-Type': 'a/b' }
  expect((await visitor.ask('/cgi-bin/to-program.sh', { body, fields })).text).toBe(
    'GET /cgi-bin/there.sh?x=1 length  type \n',
  )
  expect(await visitor.ask('/cgi-bin/to-page.sh', { method: 'HEAD' })).toMatchObject({
    fields: { 'content-length': '6' },
    text: '',
  })
  expect((await visitor.ask('/cgi-bin/circle.sh')).status).toBe(508)
  expect((await visitor.ask('/cgi-bin/bad.sh')).status).toBe(502)
  expect((await visitor.ask('/cgi-bin/lost.sh')).status).toBe(404)
  expect((await visitor.ask('/page.html')).text).toBe('a page')
})

describe('no program outlives', () => {
  /** Begins a request whose program waits; its process and what that has started. */
  async function begin(portico: Portico): Promise<{ visitor: Visitor; pids: number[] }> {
    const visitor = await Visitor.to(portico.port)
    visitor.send('GET /cgi-bin/waits.sh HTTP/1.0\r\n\r\n')
    let text = ''
    while (!/\d+ \d+\n$/.test(text)) text += String(await visitor.read())
    const pids = text.trim().split(/\s/).slice(-2).map(Number)
    for (const pid of pids) expect(lookAt(pid)).not.toBeNull()
    return { visitor, pids }
  }

  const ended = (pids: readonly number[]): Promise<unknown> =>
    until('the programs to end', () => pids.every((pid) => lookAt(pid) === null), 5_000)

  test('a server process that is killed', async () => {
    await using portico = await serve(SITE)
    const { visitor, pids } = await begin(portico)
    kill((await portico.status()).server.pid)
    await ended(pids)
    visitor.leave()
  })

  test('a supervisor that is killed', async () => {
    await using portico = await serve(SITE)
    const { visitor, pids } = await begin(portico)
    portico.signal('SIGKILL')
    await portico.exited
    await ended(pids)
    visitor.leave()
  })

  test('a stop, after its bound', async () => {
    await using portico = await serve(`${SITE}timeouts: { stop: 500ms }\n`)
    const { visitor, pids } = await begin(portico)
    portico.signal('SIGTERM')
    await portico.exited
    await ended(pids)
    visitor.leave()
  })
})

test('a stop waits for programs that end within its bound', async () => {
  await using portico = await serve(SITE, {
    'slow.sh': `#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nbegun '\nsleep 1\necho done\n`,
  })
  using visitor = await Visitor.to(portico.port)
  visitor.send('GET /cgi-bin/slow.sh HTTP/1.0\r\n\r\n')
  await visitor.read()
  portico.signal('SIGTERM')
  expect(String(await visitor.end())).toContain('done\n')
})

test('5 MB there and back, in chunks', async () => {
  await using portico = await serve(`${SITE}limits: { body: 8MB }\n`, {
    'echo.sh': `#!/bin/sh\nprintf 'Content-Type: a/b\\nX-Length: %s\\n\\n' "$CONTENT_LENGTH"\ncat\n`,
  })
  const body = randomBytes(5_000_000)
  using visitor = await Visitor.to(portico.port)
  visitor.send('POST /cgi-bin/echo.sh HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n')
  for (let at = 0; at < body.length; at += 50_000) {
    visitor
      .send('c350\r\n')
      .send(body.subarray(at, at + 50_000))
      .send('\r\n')
  }
  visitor.send('0\r\n\r\n')
  const reply = await visitor.reply()
  expect(reply.fields['x-length']).toBe('5000000')
  expect(Buffer.compare(reply.body, body)).toBe(0)
})

/** A bare repository with a commit, in a folder of its own; and git, as somebody who works there. */
class Repository {
  readonly folder = mkdtempSync(join(tmpdir(), 'portico-flow-git-'))
  readonly #env = {
    ...process.env,
    HOME: this.folder,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'Ada',
    GIT_AUTHOR_EMAIL: 'ada@example.com',
    GIT_COMMITTER_NAME: 'Ada',
    GIT_COMMITTER_EMAIL: 'ada@example.com',
    GIT_TERMINAL_PROMPT: '0',
  }

  static async create(): Promise<Repository> {
    const one = new Repository()
    await one.git('init', '-q', '--bare', '-b', 'main', 'all/tale.git')
    await one.git('-C', 'all/tale.git', 'config', 'http.receivepack', 'true')
    await one.git('init', '-q', '-b', 'main', 'first')
    writeFileSync(join(one.folder, 'first/story.txt'), 'Once upon a time\n')
    await one.git('-C', 'first', 'add', '.')
    await one.git('-C', 'first', 'commit', '-q', '-m', 'the beginning')
    await one.git('-C', 'first', 'push', '-q', '../all/tale.git', 'main')
    return one
  }

  write(name: string, text: string): string {
    writeFileSync(join(this.folder, name), text)
    return join(this.folder, name)
  }

  /** What git said; throws when it failed. */
  async git(...args: string[]): Promise<string> {
    const { code, out, err } = await run('git', args, { cwd: this.folder, env: this.#env })
    if (code !== 0) throw new Error(`git ${args.join(' ')}: ${err}`)
    return out
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

const gitSite = (route: string): string => `
listen: "127.0.0.1:0"
user: root
limits: { body: 64MB }
routes: { ${route} }
`

test.runIf(existsSync(GIT_BACKEND))('git clones and pushes over HTTP', async () => {
  using repository = await Repository.create()
  const { folder } = repository
  const env = `{ GIT_PROJECT_ROOT: ${folder}/all, GIT_HTTP_EXPORT_ALL: 1 }`
  await using portico = await serve(gitSite(`"/git/": { cgi: ${GIT_BACKEND}, env: ${env} }`))
  const url = `http://127.0.0.1:${portico.port}/git/tale.git`
  await repository.git('clone', '-q', url, 'second')
  expect(readFileSync(join(folder, 'second/story.txt'), 'utf8')).toBe('Once upon a time\n')
  // Large enough for git to send it in chunks, and for us to spool it.
  const large = randomBytes(5_000_000)
  writeFileSync(join(folder, 'second/large.bin'), large)
  await repository.git('-C', 'second', 'add', '.')
  await repository.git('-C', 'second', 'commit', '-q', '-m', 'the middle')
  await repository.git('-C', 'second', 'push', '-q', 'origin', 'main')
  expect(await repository.git('-C', 'all/tale.git', 'log', '--format=%s')).toBe(
    'the middle\nthe beginning\n',
  )
  await repository.git('clone', '-q', url, 'third')
  expect(Buffer.compare(readFileSync(join(folder, 'third/large.bin')), large)).toBe(0)
  await expect(repository.git('clone', '-q', `${url}x`, 'fourth')).rejects.toThrow(/not found/)
})

test.runIf(existsSync(GITWEB))('gitweb shows a repository', async () => {
  using repository = await Repository.create()
  const config = repository.write('gitweb.conf', `$projectroot = "${repository.folder}/all";\n`)
  await using portico = await serve(
    gitSite(`"/gitweb": { cgi: ${GITWEB}, env: { GITWEB_CONFIG: ${config} } }`),
  )
  const list = await ask(portico.port, '/gitweb')
  expect(list.status).toBe(200)
  expect(list.text).toContain('tale.git')
  const log = await ask(portico.port, '/gitweb?p=tale.git;a=log')
  expect(log.text).toContain('the beginning')
  const blob = await ask(portico.port, '/gitweb?p=tale.git;a=blob_plain;f=story.txt')
  expect(blob.text).toBe('Once upon a time\n')
  expect((await ask(portico.port, '/gitweb?p=none.git')).status).toBe(404)
})

test.runIf(existsSync(CGIT))('cgit shows a repository', async () => {
  using repository = await Repository.create()
  const config = repository.write(
    'cgitrc',
    `virtual-root=/\nsnapshots=tar.gz\nscan-path=${repository.folder}/all\n`,
  )
  await using portico = await serve(
    gitSite(`"/": { cgi: ${CGIT}, env: { CGIT_CONFIG: ${config} } }`),
  )
  expect((await ask(portico.port, '/')).text).toContain('tale.git')
  expect((await ask(portico.port, '/tale.git/log/')).text).toContain('the beginning')
  const plain = await ask(portico.port, '/tale.git/plain/story.txt')
  expect(plain.text).toBe('Once upon a time\n')
  const snapshot = await ask(portico.port, '/tale.git/snapshot/tale-main.tar.gz')
  expect(snapshot.body.subarray(0, 2)).toEqual(Buffer.from([0x1f, 0x8b]))
})
