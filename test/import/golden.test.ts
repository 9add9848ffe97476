/** What `portico import` prints of configurations as people have them: the site file beside each. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { importedText } from '../../src/import/imported-text.ts'
import { dropInMarkdown } from '../../src/import/reference.ts'
import { loadSite } from '../../src/site/load.ts'
import { atRoot, configuration, GUNICORN, UWSGI, writeCase } from './cases.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-golden-'))
afterAll(() => rmSync(folder, { recursive: true }))

const ALL = [
  ...Object.entries(UWSGI).map(([name, one]) => ({ server: 'uwsgi' as const, name, one })),
  ...Object.entries(GUNICORN).map(([name, one]) => ({ server: 'gunicorn' as const, name, one })),
]

it('docs/dropin.md is made of the tables; `portico docs --write docs` renews it', () => {
  const file = join(import.meta.dirname, '../../docs/dropin.md')
  expect(readFileSync(file, 'utf8')).toBe(dropInMarkdown())
})

it.each(ALL)('$server: $name', async ({ server, name, one }) => {
  const file = server === 'uwsgi' ? `${name}.ini` : 'gunicorn.conf.py'
  const end = server === 'uwsgi' ? '.ini' : '.conf.py'
  writeCase(one, folder, { [file]: configuration(server, name, end) })
  const own = Object.entries(one.env ?? {}).map(([key, value]) => [key, atRoot(value, folder)])
  const environment = { PATH: '/usr/bin:/bin', HOME: folder, ...Object.fromEntries(own) }
  const site = { cwd: folder, environment }
  const text = importedText(await loadSite(file, {}, site))
  // The time of the start.
  const told = text.replace(/start-time( = |: ")\d+/g, 'start-time$1@NOW@')
  expect(told).toBe(atRoot(configuration(server, name, '.yaml'), folder))
  // What is printed loads, and means the same.
  writeCase({ files: {}, asks: {} }, folder, { 'printed.yaml': text })
  const [printed, original] = await Promise.all([
    loadSite('printed.yaml', {}, site),
    loadSite(file, {}, site),
  ])
  expect(essence(printed.plan)).toEqual(essence(original.plan))
})

/** Without where and when it was written. */
function essence(plan: object): unknown {
  const ours = new Set([
    ...['file', 'source', 'sources', 'admin', 'watch', 'state', 'folder', 'start-time'],
  ])
  return JSON.parse(JSON.stringify(plan, (key, value) => (ours.has(key) ? undefined : value)))
}
