/** What an application controls must not act on what root does to start it. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { launchAs } from '../../src/system/users.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-hostile-'))
chmodSync(folder, 0o777)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Someone with a group beside their own, for whom setpriv is needed. */
const someone = { user: 'someone', uid: 65_534, gid: 65_534, home: '/', groups: [65_533] }

test('a setpriv in the application’s own PATH is not run as root', () => {
  const mark = join(folder, 'was-run')
  writeFileSync(join(folder, 'setpriv'), `#!/bin/sh\nid -u > ${mark}\n`, { mode: 0o755 })
  const env = { PATH: `${folder}:${process.env.PATH}` }
  const launch = launchAs(someone, '/usr/bin/id', ['-u'], env)
  const { stdout } = spawnSync(launch.file, launch.args, { env })
  expect(existsSync(mark)).toBe(false)
  expect(String(stdout)).toBe('65534\n')
})

test('LD_PRELOAD and the like are for the application, not for the tools before it', () => {
  const env = { PATH: process.env.PATH, LD_PRELOAD: '/no/such/library.so', NAME: 'value' }
  const launch = launchAs(someone, '/usr/bin/env', [], env)
  expect(env).not.toHaveProperty('LD_PRELOAD')
  const { stdout, stderr } = spawnSync(launch.file, launch.args, { env })
  expect(String(stdout)).toContain('LD_PRELOAD=/no/such/library.so\n')
  // Only the program itself is told that it is not there.
  expect(String(stderr).match(/cannot be preloaded/g)).toHaveLength(1)
})
