/**
 * `npm test`: sets up what is missing, then format, lint, types and every test. Arguments go to vitest.
 * Closes with `N passed, N failed`. In CI a skipped test is a failure.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { debianPackages, installDebian, installPackages, pinnedNode, root } from './setup.mjs'

installPackages()
installDebian(debianPackages())
const node = pinnedNode()
const run = (title, args) => {
  console.log(`test: ${title} …`)
  const { status } = spawnSync(node, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  return status === 0
}
const tool = (...path) => join(root, 'node_modules', ...path)

const formatted = run('format and lint', [tool('@biomejs', 'biome', 'bin', 'biome'), 'check', '.'])
const typed = run('types', [tool('typescript', 'bin', 'tsc'), '-p', '.'])
const folder = mkdtempSync(join(tmpdir(), 'portico-test-'))
const report = join(folder, 'report.json')
run('tests', [
  tool('vitest', 'vitest.mjs'),
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${report}`,
  ...process.argv.slice(2),
])

let passed = 0
let failed = 1
let skipped = 0
try {
  const result = JSON.parse(readFileSync(report, 'utf8'))
  passed = result.numPassedTests
  failed = result.numFailedTests + (result.success || result.numFailedTests > 0 ? 0 : 1)
  skipped = result.numPendingTests + result.numTodoTests
} catch {
  console.error('test: vitest left no report')
}
rmSync(folder, { recursive: true, force: true })
if (!formatted) failed++
if (!typed) failed++
if (process.env.CI && skipped > 0) {
  console.error(`test: ${skipped} skipped, which CI does not accept`)
  failed += skipped
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
