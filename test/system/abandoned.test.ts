/** What killed processes have left is removed; what anybody else has is not. */
import { spawnSync } from 'node:child_process'
import { chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { removeAbandoned } from '../../src/system/abandoned.ts'

test('only folders of processes that are gone, and only ours', () => {
  const parent = mkdtempSync(join(tmpdir(), 'portico-abandoned-'))
  const gone = spawnSync('true').pid
  const names = {
    abandoned: `portico-${gone}-abcdef`,
    alive: `portico-${process.pid}-abcdef`,
    other: `portico-${gone}-another's`,
    stranger: `portico-${gone}-strang`,
  }
  for (const name of Object.values(names)) {
    mkdirSync(join(parent, name))
    writeFileSync(join(parent, name, 'body'), 'of a request')
  }
  chownSync(join(parent, names.stranger), 5, 5)
  removeAbandoned(parent, 'portico-')
  expect(readdirSync(parent).sort()).toEqual([names.alive, names.other, names.stranger].sort())
  removeAbandoned(parent, 'portico-', true)
  expect(readdirSync(parent).sort()).toEqual([names.alive, names.other].sort())
  rmSync(parent, { recursive: true })
})
