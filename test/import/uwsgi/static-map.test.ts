import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { importedText } from '../../../src/import/imported-text.ts'
import { loadSite } from '../../../src/site/load.ts'

it('a folder of static files that is not there yet does not keep a site from starting', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-static-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'app.py'), '')
  writeFileSync(
    join(folder, 'app.ini'),
    '[uwsgi]\nhttp = :8080\nmodule = app\nstatic-map = /static=%dstatic\n',
  )
  const read = async (): Promise<string> =>
    importedText(await loadSite('app.ini', {}, { cwd: folder, environment: {} }))
  const without = await read()
  expect(without).not.toContain('/static/:')
  expect(without).toMatch(
    /app\.ini:4: static-map = .*: not supported: there is no such folder yet: the application answers/,
  )
  mkdirSync(join(folder, 'static'))
  expect(await read()).toContain('/static/:')
})
