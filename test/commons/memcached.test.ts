/** Ours against a real memcached: the same lines, the same answers. */
import { spawn } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Folder, type Ours, ours, patiently } from './support.ts'

/** Sends lines and reads until the answer to `version`, which ends what it says. */
class Lines {
  readonly #socket: Socket
  #text = ''
  #heard: () => void = () => {}

  constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('latin1').on('data', (text: string) => {
      this.#text += text
      this.#heard()
    })
    socket.on('error', () => {})
  }

  static connect(path: string): Promise<Lines> {
    return new Promise((resolve, reject) => {
      const socket = connect(path, () => resolve(new Lines(socket)))
      socket.once('error', reject)
    })
  }

  async ask(text: string): Promise<string> {
    this.#text = ''
    this.#socket.write(`${text}version\r\n`, 'latin1')
    while (!/VERSION [^\r]*\r\n$/.test(this.#text)) {
      await new Promise<void>((resolve) => {
        this.#heard = resolve
      })
    }
    return this.#text.replace(/VERSION [^\r]*\r\n$/, '')
  }

  end(): void {
    this.#socket.destroy()
  }
}

let mine: Ours
const folder = new Folder()
const theirs = join(folder.path, 'memcached.sock')
const real = spawn('memcached', ['-s', theirs, '-m', '16', '-u', userInfo().username])

beforeAll(async () => {
  mine = await ours()
  await patiently(() => Lines.connect(theirs).then((lines) => lines.end()))
})

afterAll(async () => {
  real.kill('SIGKILL')
  await mine[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const key = fc.constantFrom('a', 'b', 'c', 'k'.repeat(250), 'k'.repeat(251))
const data = fc.constantFrom(
  '',
  '0',
  '7',
  '18446744073709551615',
  'text',
  'a\r\nb',
  '\x00\xff',
  '-1',
)
const time = fc.constantFrom('0', '100', '-1', '2000000000', 'x')
const flags = fc.constantFrom('0', '7', '4294967295', 'x')
const quiet = fc.constantFrom('', ' noreply')
const amount = fc.constantFrom('1', '10', '18446744073709551615', 'x', '-1')

const line = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('set', 'add', 'replace', 'append', 'prepend'),
      key,
      flags,
      time,
      data,
      quiet,
    )
    .map(([name, k, f, t, d, q]) => `${name} ${k} ${f} ${t} ${d.length}${q}\r\n${d}\r\n`),
  fc.tuple(key, data).map(([k, d]) => `cas ${k} 0 0 ${d.length} 99999999\r\n${d}\r\n`),
  fc.array(key, { minLength: 1, maxLength: 3 }).map((all) => `get ${all.join(' ')}\r\n`),
  fc.tuple(time, key).map(([t, k]) => `gat ${t} ${k}\r\n`),
  fc.tuple(key, quiet).map(([k, q]) => `delete ${k}${q}\r\n`),
  key.map((k) => `delete ${k} 0\r\n`),
  key.map((k) => `delete ${k} 5\r\n`),
  fc.tuple(key, amount, quiet).map(([k, a, q]) => `incr ${k} ${a}${q}\r\n`),
  fc.tuple(key, time).map(([k, t]) => `touch ${k} ${t}\r\n`),
  fc.constantFrom('verbosity 1\r\n', 'nosuch a\r\n', 'get\r\n', 'incr a\r\n', 'touch a\r\n'),
  fc.constantFrom('set a\r\n', 'delete\r\n', 'mn\r\n'.slice(0, 0)),
)

test('random lines get the same answers', { timeout: 60_000 }, async () => {
  const [us, them] = await Promise.all([Lines.connect(mine.memcached), Lines.connect(theirs)])
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 20 }), async (lines) => {
      await Promise.all([us.ask('flush_all\r\n'), them.ask('flush_all\r\n')])
      for (const one of lines) {
        const [own, other] = await Promise.all([us.ask(one), them.ask(one)])
        // memcached takes the data behind a wrong line for commands; we know how long it is.
        const wrong = /^CLIENT_ERROR bad command line format\r\n/.exec(other)?.[0]
        const theirs = one.includes(' noreply') ? other.replace(/^(ERROR\r\n)+/, '') : other
        expect(own, one).toBe(wrong ?? theirs)
      }
    }),
    { numRuns: 300 },
  )
  expect(mine.complaints).toEqual([])
  us.end()
  them.end()
})

test('cas stores only over what was read', async () => {
  const lines = await Lines.connect(mine.memcached)
  await lines.ask('set a 5 0 1\r\nx\r\n')
  const [, cas] = /VALUE a 5 1 (\d+)\r\nx\r\nEND/.exec(await lines.ask('gets a\r\n')) ?? []
  expect(await lines.ask(`cas a 5 0 1 ${cas}\r\ny\r\n`)).toBe('STORED\r\n')
  expect(await lines.ask(`cas a 5 0 1 ${cas}\r\nz\r\n`)).toBe('EXISTS\r\n')
  expect(await lines.ask(`cas none 5 0 1 ${cas}\r\nz\r\n`)).toBe('NOT_FOUND\r\n')
  lines.end()
})

test('down stops at 0, and what it leaves has no blanks', async () => {
  const lines = await Lines.connect(mine.memcached)
  await lines.ask('set n 0 0 2\r\n10\r\n')
  expect(await lines.ask('decr n 1\r\ndecr n 100\r\nget n\r\n')).toBe(
    '9\r\n0\r\nVALUE n 0 1\r\n0\r\nEND\r\n',
  )
  lines.end()
})

test('too large an item is refused, and what it was to replace is gone', async () => {
  const lines = await Lines.connect(mine.memcached)
  const large = 'x'.repeat(1024 ** 2 + 1)
  await lines.ask('set a 0 0 1\r\nx\r\n')
  expect(await lines.ask(`set a 0 0 ${large.length}\r\n${large}\r\n`)).toBe(
    'SERVER_ERROR object too large for cache\r\n',
  )
  expect(await lines.ask('get a\r\n')).toBe('END\r\n')
  lines.end()
})
