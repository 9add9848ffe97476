/** The access log: its two forms, what no visitor can put into it, and disks that do not take it. */
import {
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { AccessLog } from '../../src/request/log.ts'
import { Held, says } from '../gateways/http1/handlers.ts'
import { type ListeningSite, listeningSite } from '../gateways/http1/site.ts'
import { sleep, until, Visitor } from '../gateways/http1/visitor.ts'

let folder = ''
let path = ''
let log: AccessLog | null = null
let site: ListeningSite | null = null

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portico-log-'))
  path = join(folder, 'access.log')
})

afterEach(() => {
  site?.close()
  log?.close()
  rmSync(folder, { recursive: true })
})

async function logging(format: 'combined' | 'json', target = path): Promise<Visitor> {
  log = new AccessLog(target, format)
  site = await listeningSite({ routes: { '/': says('hello'), '/held': new Held() }, log })
  return Visitor.at(site.port)
}

function lines(file = path): string[] {
  return readFileSync(file, 'latin1').split('\n').slice(0, -1)
}

const get = (more = ''): string => `GET /a?b HTTP/1.1\r\nHost: A.example\r\n${more}\r\n`

describe('combined', () => {
  test('is what every reader of access logs knows', async () => {
    const visitor = await logging('combined')
    visitor.send(get('User-Agent: curl/8\r\nReferer: http://r/\r\n'))
    await visitor.answers(1)
    visitor.send('HEAD /a HTTP/1.0\r\n\r\n')
    await visitor.serverEnd()
    await until(() => lines().length === 2)
    expect(lines()[0]).toMatch(
      /^127\.0\.0\.1 - - \[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/a\?b HTTP\/1\.1" 200 5 "http:\/\/r\/" "curl\/8"$/,
    )
    expect(lines()[1]).toMatch(/"HEAD \/a HTTP\/1\.0" 200 0 "-" "-"$/)
  })

  test('what was refused is there with its line, its status and nothing that could be forged', async () => {
    const visitor = await logging('combined')
    visitor.send('GET /"\x1b[2J\x9b\xe9\\ x HTTP/1.1\r\nHost: a\r\n\r\n')
    await visitor.serverEnd()
    await until(() => lines().length === 1)
    expect(lines()[0]).toContain('"GET /\\x22\\x1B[2J\\x9B\\xE9\\x5C x HTTP/1.1" 400 ')
    expect(lines()[0]).toMatch(/^[\x20-\x7e]+$/)
  })

  test('a visitor cannot end a quoted part or a line', async () => {
    const visitor = await logging('combined')
    visitor.send(get('User-Agent: x" 200 0 "-" "\\\x80\xff\tevil\r\nReferer: "\r\n'))
    await visitor.answers(1)
    await until(() => lines().length === 1)
    expect(lines()[0]).toMatch(
      / 200 5 "\\x22" "x\\x22 200 0 \\x22-\\x22 \\x22\\x5C\\x80\\xFF\\x09evil"$/,
    )
  })

  test('a visitor who left before any answer is 499', async () => {
    const visitor = await logging('combined')
    visitor.send('GET /held HTTP/1.1\r\nHost: a\r\n\r\n')
    await until(() => site!.totals().requests === 1)
    visitor.reset()
    await until(() => lines().length === 1)
    expect(lines()[0]).toContain('"GET /held HTTP/1.1" 499 0 ')
  })
})

describe('json', () => {
  test('is one object a line, with all that is known', async () => {
    const visitor = await logging('json')
    visitor.send(get('User-Agent: "\\\x9b\xe9\r\n'))
    await visitor.answers(1)
    await until(() => lines().length === 1)
    expect(lines()[0]).not.toMatch(/[\x7f-\x9f]|\xc2[\x80-\x9f]/)
    const entry = JSON.parse(readFileSync(path, 'utf8'))
    expect(entry).toMatchObject({
      address: '127.0.0.1',
      request: 'GET /a?b HTTP/1.1',
      method: 'GET',
      target: '/a?b',
      host: 'a.example',
      status: 200,
      sent: 5,
      agent: '"\\\x9b\xe9',
    })
    expect(Math.abs(Date.parse(entry.time) - Date.now())).toBeLessThan(5000)
    expect(entry.ms).toBeGreaterThanOrEqual(0)
  })

  test('errors say what they were', async () => {
    const visitor = await logging('json')
    visitor.send('GET / HTTP/9.9\r\n\r\n')
    await visitor.serverEnd()
    await until(() => lines().length === 1)
    expect(JSON.parse(lines()[0]!)).toMatchObject({
      request: 'GET / HTTP/9.9',
      status: 505,
      error: 'UNSUPPORTED_VERSION',
    })
  })
})

describe('the file', () => {
  test('can be moved away and opened anew', async () => {
    const visitor = await logging('combined')
    await visitor.send(get()).answers(1)
    await until(() => lines().length === 1)
    renameSync(path, `${path}.1`)
    await visitor.send(get()).answers(2)
    await until(() => lines(`${path}.1`).length === 2)
    log!.reopen()
    await visitor.send(get()).answers(3)
    await until(() => lines().length === 1)
    expect(lines(`${path}.1`).length).toBe(2)
  })

  test('that cannot be opened anew is kept', async () => {
    const visitor = await logging('combined')
    renameSync(folder, `${folder}-gone`)
    const said = vi.spyOn(console, 'error').mockImplementation(() => {})
    log!.reopen()
    expect(said).toHaveBeenCalledWith(expect.stringMatching(/ENOENT/))
    said.mockRestore()
    await visitor.send(get()).answers(1)
    await until(() => lines(join(`${folder}-gone`, 'access.log')).length === 1)
    renameSync(`${folder}-gone`, folder)
  })

  test('loses no line when it is opened anew under load', async () => {
    const visitor = await logging('combined')
    for (let i = 0; i < 10; i++) {
      visitor.send(get().repeat(200))
      await visitor.answers((i + 1) * 200)
      renameSync(path, `${path}.${i}`)
      log!.reopen()
    }
    log!.close()
    const all = Array.from({ length: 10 }, (_, i) => lines(`${path}.${i}`)).flat()
    await until(() => all.length + lines().length >= 1_800)
    await sleep(300)
    const now = Array.from({ length: 10 }, (_, i) => lines(`${path}.${i}`)).flat()
    expect(now.length + lines().length).toBe(2_000)
    for (const line of [...now, ...lines()]) expect(line).toMatch(/^127\.0\.0\.1 .* "-"$/)
  })

  test.for(['combined', 'json'] as const)(
    'on a full disk: visitors go on, lost lines are counted (%s)',
    async (format) => {
      const link = join(folder, 'link')
      symlinkSync('/dev/full', link)
      const visitor = await logging(format, link)
      await visitor.send(get().repeat(100)).answers(100)
      await sleep(600)
      await visitor.send(get().repeat(23)).answers(123)
      await sleep(600)
      unlinkSync(link)
      writeFileSync(path, '')
      symlinkSync(path, link)
      log!.reopen()
      await visitor.send(get()).answers(124)
      await until(() => lines().length === 2)
      if (format === 'combined') expect(lines()[1]).toMatch(/^# 123 lines were dropped/)
      else expect(JSON.parse(lines()[1]!)).toMatchObject({ dropped: 123 })
    },
  )

  test('that cannot be opened is an error at once', () => {
    expect(() => new AccessLog(join(folder, 'no', 'such'), 'combined')).toThrow(/ENOENT/)
  })
})
