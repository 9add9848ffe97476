/** Configurations that mean harm: each is answered, soon, and with a problem that names the place. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { loadUwsgiFile } from '../../src/import/uwsgi/load.ts'
import { Report } from '../../src/site/report.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-hostile-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function problems(text: string): string {
  const file = join(folder, 'evil.ini')
  writeFileSync(file, `[uwsgi]\n${text}\n`)
  const report = new Report()
  try {
    loadUwsgiFile(file, folder, {}, report)
  } catch (error) {
    return String(error)
  }
  return JSON.stringify(report.problems.map(({ message }) => message))
}

const words = Array.from({ length: 20_000 }, (_, i) => i).join(' ')
const doubled = Array.from({ length: 40 }, (_, i) => `set-placeholder = p${i + 1}=%(p${i})%(p${i})`)

test.each([
  ['a file without an end as a value', 'chdir = @(/dev/zero)', 'is no file'],
  ['a file without an end as a configuration', 'ini = /dev/zero', 'is no file'],
  ['a program as a value', 'chdir = @(exec://touch /tmp/evil)', 'ENOENT'],
  ['a file that includes itself', `ini = ${join(folder, 'evil.ini')}`, 'more than 200 files'],
  ['loops in loops', `for = ${words}\n${'env = A=%(_)\n'.repeat(500)}endfor =`, 'more than 20000'],
  ['placeholders that double', `set-placeholder = p0=x\n${doubled.join('\n')}`, 'grows beyond'],
])('%s', (_name, text, answer) => {
  expect(problems(text)).toContain(answer)
})
