/** What php-fpm and php-cgi are started with, judged by PHP's own parser. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { findPhp, versionNumber } from '../../../src/runtimes/php/find.ts'
import { fpmConfig, slowSeconds } from '../../../src/runtimes/php/fpm-config.ts'
import { iniFile, iniValue } from '../../../src/runtimes/php/ini.ts'
import { php } from '../../../src/runtimes/php/runtime.ts'
import type { ServicePlace } from '../../../src/runtimes/service.ts'
import type { PhpAppPlan, RecyclePlan, ScalePlan } from '../../../src/site/plan.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico php '))
afterAll(() => rmSync(folder, { recursive: true }))

const APP: PhpAppPlan = {
  kind: 'php',
  name: 'blog',
  dir: folder,
  front: 'index.php',
  index: ['index.php'],
  interpreter: '',
  ini: {},
  noScripts: [],
  env: { COLOUR: 'red' },
  workers: 3,
  deadlineMs: 60_000,
  softDeadlineMs: 0,
  queueDeadlineMs: 60_000,
  startTimeoutMs: 10_000,
  queue: 10,
}
const SCALE: ScalePlan = {
  by: 'spare',
  min: 1,
  spare: 1,
  step: 1,
  overload: 3,
  delayMs: 100,
  busyness: {
    min: 25,
    max: 50,
    multiplier: 10,
    penalty: 2,
    backlogAlert: 33,
    backlogStep: 1,
    backlogMultiplier: 3,
  },
  everyMs: 1_000,
  idleMs: 300_000,
  memory: 0,
  warm: true,
}
const RECYCLE: RecyclePlan = {
  requests: 0,
  ageMs: 0,
  memory: 0,
  addressSpace: 0,
  idleMs: 0,
  jitter: 0.1,
}
const PLACE: ServicePlace = {
  folder,
  socket: join(folder, 'app-0.sock'),
  inherits: false,
  backlog: 511,
  dev: false,
  watch: false,
  slowMs: 60_000,
  becomes: '',
}

describe('php-fpm.conf', () => {
  test('is what php-fpm accepts', async () => {
    const file = join(folder, 'php-fpm.conf')
    const becomes = process.getuid?.() === 0 ? 'nobody' : ''
    writeFileSync(file, fpmConfig(APP, { ...PLACE, becomes }))
    const { file: fpm } = await findPhp(APP)
    const said = execFileSync(fpm, ['-t', '-y', file], { stdio: 'pipe', encoding: 'utf8' })
    expect(said).toBe('')
  })

  test.each([
    [
      { min: 2, spare: 1, idleMs: 300_000 },
      'pm = dynamic\npm.max_children = 3\npm.start_servers = 2\npm.min_spare_servers = 1\npm.max_spare_servers = 2\n',
    ],
    [
      { min: 1, spare: 9, idleMs: 300_000 },
      'pm.start_servers = 3\npm.min_spare_servers = 3\npm.max_spare_servers = 3\n',
    ],
    [
      { min: 0, spare: 1, idleMs: 90_000 },
      'pm = ondemand\npm.max_children = 3\npm.process_idle_timeout = 90s\n',
    ],
  ])('workers that follow the load: %j', async (some, lines) => {
    const app = { ...APP, scale: { ...SCALE, ...some }, recycle: { ...RECYCLE, requests: 500 } }
    const text = fpmConfig(app, { ...PLACE, becomes: process.getuid?.() === 0 ? 'nobody' : '' })
    expect(text).toContain(lines)
    expect(text).toContain('pm.max_requests = 500\n')
    const file = join(folder, 'php-fpm-scaled.conf')
    writeFileSync(file, text)
    const { file: fpm } = await findPhp(APP)
    expect(execFileSync(fpm, ['-t', '-y', file], { stdio: 'pipe', encoding: 'utf8' })).toBe('')
  })

  test('has as many workers as were asked for, and looks often for slow ones', () => {
    const text = fpmConfig(APP, PLACE)
    expect(text).toContain('pm = static\npm.max_children = 3\n')
    expect(text).toContain('request_slowlog_timeout = 61\n')
    expect(text).toMatch(/\[pulse\][^[]*pm = ondemand[^[]*request_terminate_timeout = 1\n/)
    expect(text).not.toContain('user =')
    expect(fpmConfig(APP, { ...PLACE, becomes: 'www-data' })).toContain('user = www-data\n')
  })

  test('without a deadline nothing is slow', () => {
    const text = fpmConfig(APP, { ...PLACE, slowMs: 0 })
    expect(text).not.toMatch(/slow|pulse|terminate/)
  })

  test.each([
    [1, 1],
    [999, 1],
    [1000, 2],
    [60_000, 61],
  ])('a deadline of %d ms has passed after %d s', (ms, seconds) => {
    expect(slowSeconds(ms)).toBe(seconds)
  })
})

describe('php.ini', () => {
  test('what must be so comes last', () => {
    const text = iniFile({ ...APP, ini: { 'cgi.fix_pathinfo': '0', memory_limit: '1G' } }, PLACE)
    expect(text).toMatch(/cgi\.fix_pathinfo = 1\n/)
    expect(text).not.toMatch(/fix_pathinfo = 0/)
    expect(text).toContain('memory_limit = 1G\n')
    expect(text).toContain('display_errors = 0\n')
    expect(iniFile(APP, { ...PLACE, dev: true })).toContain('display_errors = 1\n')
  })

  test.each(['256M', 'E_ALL & ~E_DEPRECATED', 'On', '-1', '1.5'])('%s is evaluated', (value) => {
    expect(iniValue(value)).toBe(value)
  })

  test('a value that cannot be said is refused', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: PHP's
    expect(() => iniValue("it's ${HOME}")).toThrow(/cannot hold/)
  })

  test('PHP reads every other text as it is', () => {
    const text = fc
      .string({ unit: fc.constantFrom(...'aZ0 ;#=[]{}()|&^~!?"\'\\$,.:/\n\té') })
      .filter((value) => !(value.includes("'") && value.includes('${')))
      // PHP evaluates these.
      .filter((value) => iniValue(value) !== value && !value.includes('\r'))
    const values = fc.sample(text, 200)
    const file = join(folder, 'texts.ini')
    writeFileSync(file, values.map((value, i) => `t.v${i} = ${iniValue(value)}\n`).join(''))
    const read = execFileSync(
      '/usr/bin/php',
      ['-n', '-r', 'echo json_encode(array_values(parse_ini_file($argv[1])));', file],
      { encoding: 'utf8' },
    )
    expect(JSON.parse(read)).toEqual(values)
  })
})

describe('finding PHP', () => {
  test.each([
    ['8.2', 802],
    ['84', 804],
    ['7.4', 704],
    ['8.10', 810],
    ['', 0],
  ])('%j is %d', (text, number) => {
    expect(versionNumber(text)).toBe(number)
  })

  test('php-fpm where it is installed', async () => {
    const service = await php.prepare(APP, PLACE)
    expect(service.version).toMatch(/^PHP \d+\.\d+\.\d+ \(php-fpm/)
    expect(service.command.args).toContain('-F')
    expect(service.command.env).toMatchObject({ COLOUR: 'red' })
    expect(service.command.env.PHP_INI_SCAN_DIR).toMatch(/:/)
  })

  test('php-cgi where it is asked for; it cannot become another user', async () => {
    const app = { ...APP, interpreter: 'php-cgi' }
    const service = await php.prepare(app, PLACE)
    expect(service.command).toMatchObject({
      args: ['-b', PLACE.socket],
      env: { PHP_FCGI_CHILDREN: '3' },
    })
    expect(service.files['portico.ini']).toContain('max_execution_time = 60\n')
    await expect(php.prepare(app, { ...PLACE, becomes: 'nobody' })).rejects.toThrow(/set `user:`/)
  })

  test.each([
    ['php-fpm0.0', /there is no php-fpm0\.0/],
    ['/usr/bin/php', /is PHP's cli/],
    ['/bin/true', /is no PHP/],
    ['/bin/false', /does not run/],
  ])('%s is none', async (interpreter, why) => {
    await expect(findPhp({ ...APP, interpreter })).rejects.toThrow(why)
  })

  test('none at all', async () => {
    const app = { ...APP, env: { PATH: folder } }
    // The usual folders are looked into as well, so this machine's is found.
    expect((await findPhp(app)).kind).toBe('fpm')
  })
})
