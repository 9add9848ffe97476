/*
 * Entry of the warm parent. Plain JavaScript that any Node can read: a too old one must say so on the
 * control channel instead of failing with a syntax error.
 */
import { readSync, writeSync } from 'node:fs'
import { cacheCompiled } from './compile-cache.mjs'

/** The first that runs TypeScript as it is, in every line of releases that has it. */
const [major, minor] = process.versions.node.split('.').map(Number)

if (major > 22 || (major === 22 && minor >= 18)) {
  cacheCompiled()
  await import('./parent.ts')
} else {
  const detail = `Node 22.18 or newer is needed, ${process.execPath} is ${process.version}: name a newer one with \`interpreter:\``
  writeSync(3, `${JSON.stringify({ type: 'failed', detail })}\n`)
  const told = Buffer.alloc(65_536)
  for (let text = ''; !text.includes('"quit"'); ) {
    const length = readSync(3, told)
    if (length === 0) break
    text += told.toString('latin1', 0, length)
  }
}
