/** `portico check` and `portico docs`, as people run them. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { folderWith } from './here.ts'

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')

function portico(cwd: string, ...args: string[]) {
  const env = { ...process.env, SECRET: 'hunter2', NO_COLOR: '1' }
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    cwd,
    env,
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

const GOOD = `routes: { /: { app: shop } }
apps:
  shop: { python: shop, env: { PASSWORD: "\${SECRET}" } }
  idle: { python: shop }
`

describe('portico check', () => {
  it('says that a site is good, and what is odd about it', () => {
    const folder = folderWith({ 'site.yaml': GOOD, 'shop.py': 'app = 1' })
    expect(portico(folder, 'check')).toEqual({
      status: 0,
      stdout: `site file ${folder}/site.yaml: good (1 listener, 1 host, 1 route, 2 applications)\n`,
      stderr: 'warning: site.yaml:4:3: apps.idle: no route leads to the application "idle"\n',
    })
  })

  it('says everything that is wrong, and fails', () => {
    const folder = folderWith({ 'site.yaml': 'listne: 1\nroutes: { /: { app: x } }\n' })
    expect(portico(folder, 'check', 'site.yaml')).toEqual({
      status: 1,
      stdout: '',
      stderr: [
        'site.yaml:1:1: listne: unknown key "listne"; did you mean "listen"?',
        'site.yaml:2:21: routes."/".app: no such application: "x"; expected one in apps, which is empty',
        '2 problems',
        '',
      ].join('\n'),
    })
  })

  it('says it to programs as well', () => {
    const folder = folderWith({ 'site.yaml': 'threads: x\nroutes: { /: { respond: x } }\n' })
    const { status, stdout, stderr } = portico(folder, 'check', '--json')
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' })
    expect(JSON.parse(stdout)).toEqual({
      ok: false,
      description: '',
      problems: [
        {
          file: join(folder, 'site.yaml'),
          line: 1,
          column: 10,
          path: ['threads'],
          message: 'wrong value',
          expected: 'auto, or a whole number from 1 to 1024',
          nearest: '',
        },
      ],
      warnings: [],
    })
  })

  it('shows the Plan without the secrets in it', () => {
    const folder = folderWith({ 'site.yaml': GOOD, 'shop.py': 'app = 1' })
    const plain = portico(folder, 'check', '--plan')
    expect(JSON.parse(plain.stdout)).toMatchObject({
      apps: { shop: { module: 'shop', env: { PASSWORD: '…' } } },
    })
    const json = portico(folder, 'check', '--plan', '--json')
    expect(JSON.parse(json.stdout)).toMatchObject({
      ok: true,
      plan: { file: `${folder}/site.yaml` },
    })
    expect(`${plain.stdout}${json.stdout}`).not.toContain('hunter2')
  })

  it('takes what serve takes', () => {
    const folder = folderWith({ 'shop.py': 'app = 1' })
    expect(portico(folder, 'check', 'shop:app')).toMatchObject({
      status: 0,
      stdout: 'Python application shop:app: good (1 listener, 1 host, 1 route, 1 application)\n',
    })
    expect(portico(folder, 'check', 'nothing.yaml')).toMatchObject({ status: 1, stdout: '' })
  })

  it('has examples in its help', () => {
    const { stdout } = portico('/', 'check', '--help')
    expect(stdout).toContain('Examples:')
    expect(stdout).toContain('Exit codes:')
  })
})

describe('portico docs', () => {
  const DOCS = join(import.meta.dirname, '../../docs')

  it('prints and writes what docs/ holds', () => {
    const folder = folderWith({})
    const [page, schema] = ['site-file.md', 'site.schema.json'].map((name) =>
      readFileSync(join(DOCS, name), 'utf8'),
    )
    expect(portico(folder, 'docs').stdout).toBe(page)
    expect(portico(folder, 'docs', '--schema').stdout).toBe(schema)
    expect(portico(folder, 'docs', '--write', 'made/docs')).toMatchObject({ status: 0, stdout: '' })
    expect(readFileSync(join(folder, 'made/docs/site-file.md'), 'utf8')).toBe(page)
    expect(readFileSync(join(folder, 'made/docs/site.schema.json'), 'utf8')).toBe(schema)
  })
})
