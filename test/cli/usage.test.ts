import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import about from '../../package.json' with { type: 'json' }
import { appFolder, portico, Served } from './portico.ts'

const commands = ['serve', 'check', 'reload', 'stop', 'status', 'docs']

test('--version', () => {
  expect(portico(['--version'])).toEqual({ code: 0, out: `${about.version}\n`, err: '' })
})

test('--help names every command, and each has examples and --json', () => {
  const help = portico(['--help'])
  expect(help.code).toBe(0)
  for (const command of commands) {
    expect(help.out).toMatch(new RegExp(`^  ${command} `, 'm'))
    const own = portico([command, '--help'])
    expect(own.code).toBe(0)
    expect(own.out).toContain('Examples:')
    expect(own.out).toContain('--json')
  }
}, 30_000)

test.for([
  [['srve'], /unknown command 'srve'.*\n?.*serve/],
  [['serve', '--lisen', ':80'], /unknown option '--lisen'[\s\S]*--listen/],
  [['serve', 'a', 'b'], /too many arguments/],
  [['serve', '--listen'], /argument missing/],
  [['stop', '--timeout', 'soon'], /--timeout is a number of seconds: soon/],
  [[], /Usage: portico/],
] as const)('%j is not understood: exit code 2', ([args, message]) => {
  const run = portico(args)
  expect(run.code).toBe(2)
  expect(run.err).toMatch(message)
  expect(run.out).toBe('')
})

test.for([
  [['serve', 'no-such-file.yaml'], /no-such-file.yaml/],
  [['serve', '-w', 'many', 'app:application'], /command line: .*workers/],
  [['serve', '-b', 'nonsense:://', 'app:application'], /command line: .*not an address/],
] as const)('%j cannot be served: one clear line, exit code 1', ([args, message]) => {
  const run = portico(args, appFolder())
  expect(run.code).toBe(1)
  const lines = run.err
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.at(-1)).toMatchObject({ level: 'error', message: expect.stringMatching(message) })
  expect(run.err).not.toMatch(/at .*\.ts:\d+/)
})

test('a port in use: who holds it, exit code 1', async () => {
  const holder = createServer()
  holder.listen(0, '127.0.0.1')
  await once(holder, 'listening')
  const address = holder.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  await using site = new Served(appFolder(), ['app:application', '-b', `127.0.0.1:${port}`])
  expect(await site.exited).toEqual({ code: 1, signal: null })
  expect(site.err).toMatch(
    new RegExp(`cannot listen on 127.0.0.1:${port}: the port is in use by .*pid ${process.pid}`),
  )
  holder.close()
})

test.for(['reload', 'stop', 'status'])(
  '%s of what does not run: the remedy, exit code 1',
  (name) => {
    const run = portico([name, 'app:application'], appFolder())
    expect(run.code).toBe(1)
    expect(run.err).toMatch(/^portico: not running: nobody answers on .*; `portico serve` it first/)
  },
)

test('a site file that is wrong and serves nowhere: what is wrong with it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-cli-'))
  writeFileSync(join(folder, 'site.yaml'), 'lisen: 8080\n')
  const run = portico(['stop', 'site.yaml'], folder)
  expect(run.code).toBe(1)
  expect(run.err).toMatch(/lisen/)
})

const oldNode = spawnSync('/usr/bin/node', ['--version'], { encoding: 'utf8' }).stdout ?? ''
test.runIf(/^v(18|20|22)\./.test(oldNode))('an older Node becomes the pinned one', () => {
  expect(portico(['--version'], tmpdir(), '/usr/bin/node')).toEqual({
    code: 0,
    out: `${about.version}\n`,
    err: '',
  })
  expect(portico(['srve'], tmpdir(), '/usr/bin/node').code).toBe(2)
})

test('without its packages, the launcher names the remedy', () => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-cli-'))
  mkdirSync(join(folder, 'bin'))
  for (const name of ['portico', 'package.json']) {
    copyFileSync(new URL(`../../bin/${name}`, import.meta.url), join(folder, 'bin', name))
  }
  const run = spawnSync(process.execPath, [join(folder, 'bin', 'portico'), '--version'], {
    encoding: 'utf8',
  })
  expect(run.status).toBe(1)
  expect(run.stderr).toBe(`portico: its packages are missing; run \`npm install\` in ${folder}\n`)
})
