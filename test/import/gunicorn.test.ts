/** The table of settings against the real Gunicorn, its command line, and configuration files. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parseArguments, splitWords } from '../../src/import/gunicorn/arguments.ts'
import { loadGunicorn } from '../../src/import/gunicorn/load.ts'
import { BY_NAME, SETTINGS } from '../../src/import/gunicorn/settings.ts'
import { Report } from '../../src/site/report.ts'
import { plainValue } from '../../src/site/tree.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-gunicorn-'))
afterAll(() => rmSync(folder, { recursive: true }))

const ASK = `
import json, gunicorn.config as config
print(json.dumps([[s.name, s.cli or [], s.action or "store"] for s in config.KNOWN_SETTINGS]))
`

describe('the table of settings', () => {
  const real: [string, string[], string][] = JSON.parse(
    execFileSync('/usr/bin/python3', ['-c', ASK], { encoding: 'utf8' }),
  )

  it('has every setting of Gunicorn, under the same flags', () => {
    expect(real.length).toBeGreaterThan(80)
    for (const [name, flags, action] of real) {
      const ours = BY_NAME.get(name)
      expect([name, ours?.flags.split(' ').filter(Boolean)]).toEqual([name, flags])
      const isFlag = action.startsWith('store_')
      if (flags.length > 0) expect([name, ours?.kind === 'flag']).toEqual([name, isFlag])
    }
  })

  it('says what becomes of each', () => {
    expect(BY_NAME.size).toBe(SETTINGS.length)
    for (const { text } of SETTINGS) expect(text.length).toBeGreaterThan(2)
  })
})

describe('the command line', () => {
  it.each([
    ['-w 4 -b :8000 -b unix:a.sock app:app', { workers: '4', bind: [':8000', 'unix:a.sock'] }],
    ['-w4 --bind=:8000 app', { workers: '4', bind: [':8000'] }],
    [
      '--max-requests-j 5 --preload -D app',
      { max_requests_jitter: '5', preload_app: true, daemon: true },
    ],
    ['-e A=1 -e B=2 app', { raw_env: ['A=1', 'B=2'] }],
  ])('%s', (line, expected) => {
    expect(Object.fromEntries(parseArguments(line.split(' ')).settings)).toEqual(expected)
  })

  it('has words as a shell has them', () => {
    expect(splitWords(`-w 4 --bind ':80 00' -e "A=\\"b\\" c"  d\\ e`)).toEqual([
      '-w',
      '4',
      '--bind',
      ':80 00',
      '-e',
      'A="b" c',
      'd e',
    ])
    expect(() => splitWords('a "b')).toThrow(/not closed/)
  })
})

interface Read {
  readonly site: unknown
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
}

async function read(
  text: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Read> {
  const file = join(folder, 'gunicorn.conf.py')
  writeFileSync(file, text)
  const report = new Report()
  const PATH = process.env.PATH ?? ''
  const { root } = await loadGunicorn(args, folder, { PATH, ...environment }, report)
  return {
    site: plainValue(root),
    problems: report.problems.map(({ line, message }) => `${line}: ${message}`),
    warnings: report.warnings.map(({ line, message, nearest }) => `${line}: ${message} ${nearest}`),
  }
}

describe('configurations', () => {
  it('yield to GUNICORN_CMD_ARGS, and that to the command line', async () => {
    const environment = { GUNICORN_CMD_ARGS: '--workers 3 --threads 4' }
    const { site } = await read(
      'workers = 2\nthreads = 2\nbind = ":1"\n',
      ['-w', '5', 'app'],
      environment,
    )
    expect(site).toMatchObject({ listen: [':1'], apps: { app: { workers: 5, threads: 4 } } })
  })

  it('have the defaults of Gunicorn', async () => {
    const { site } = await read('', ['app'])
    expect(site).toMatchObject({
      listen: ['127.0.0.1:8000'],
      apps: { app: { python: 'app', workers: 1, deadline: '30s', lazy: true } },
      log: { access: 'off' },
    })
    const changed = await read('', ['app'], { PORT: '9000', WEB_CONCURRENCY: '3' })
    expect(changed.site).toMatchObject({ listen: ['0.0.0.0:9000'], apps: { app: { workers: 3 } } })
  })

  it('that fail are told with the traceback', async () => {
    const { problems } = await read('import nothing_of_that_name\n', ['app'])
    expect(problems.join()).toMatch(
      /the configuration fails:[\s\S]*No module named 'nothing_of_that_name'/,
    )
  })

  it('are told what is wrong in them, where it is', async () => {
    const { problems, warnings } = await read(
      'bind = ":1"\nworker_class = "tornado"\nworkers = "many"\nkeyfile = "a.key"\nworkes = 3\n',
      ['app'],
    )
    expect(problems).toEqual([
      '4: a keyfile without a certfile',
      '3: not a whole number',
      '2: the worker class tornado is not supported',
    ])
    expect(warnings).toEqual(['5: Gunicorn has no setting "workes" workers'])
  })

  it('have certificates', async () => {
    const text =
      'import ssl\nbind = ":8443"\ncertfile = "a.pem"\nkeyfile = "/etc/a.key"\nca_certs = "ca.pem"\ncert_reqs = ssl.CERT_REQUIRED\nciphers = "ECDHE+AESGCM"\n'
    const { site, problems } = await read(text, ['app'])
    expect(problems).toEqual([])
    expect(site).toMatchObject({
      listen: [
        {
          on: 'https://:8443',
          certificate: expect.stringMatching(/\/a\.pem$/),
          key: '/etc/a.key',
          tls: {
            ciphers: 'ECDHE+AESGCM',
            'client-certificates': { ca: expect.stringMatching(/\/ca\.pem$/), mode: 'require' },
          },
        },
      ],
    })
  })

  it('may print, and hold what is no setting', async () => {
    const text =
      'import os\nprint("hello")\nclass A: pass\nthing = A()\nworkers = 2\nloop = []\nloop.append(loop)\n'
    const { site, problems } = await read(text, ['app'])
    expect(problems).toEqual([])
    expect(site).toMatchObject({ apps: { app: { workers: 2 } } })
  })
})
