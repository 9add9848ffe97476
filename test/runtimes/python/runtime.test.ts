/** Which interpreter an application gets, and what is said where there is none that will do. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { python } from '../../../src/runtimes/python/runtime.ts'
import type { PythonAppPlan } from '../../../src/site/plan.ts'
import { debianPython, plan, Supervisor } from './supervisor.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portico-runtime-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function program(path: string, text = '#!/bin/sh\n'): string {
  writeFileSync(path, text)
  chmodSync(path, 0o755)
  return path
}

function environment(name: string, version = '3.11.2'): string {
  const venv = join(folder, name)
  mkdirSync(join(venv, 'bin'), { recursive: true })
  writeFileSync(join(venv, 'pyvenv.cfg'), `home = /usr/bin\nversion = ${version}\n`)
  program(join(venv, 'bin', 'python'))
  return venv
}

const command = (some: Partial<PythonAppPlan>) =>
  python.command(plan({ dir: folder, python: '', ...some }))

test('the one that is named wins, as a path or as a name', () => {
  environment('.venv')
  const own = program(join(folder, 'mypython'))
  expect(command({ python: own }).file).toBe(own)
  expect(command({ python: './mypython' }).file).toBe(own)
  expect(command({ python: 'mypython', env: { PATH: folder } }).file).toBe(own)
})

test('then a virtual environment: named, .venv, venv', () => {
  const [other, hidden, plain] = ['other', '.venv', 'venv'].map((name) => environment(name))
  expect(command({ venv: other! }).file).toBe(join(other!, 'bin/python'))
  expect(command({}).file).toBe(join(hidden!, 'bin/python'))
  rmSync(hidden!, { recursive: true })
  const found = command({ env: { PATH: '/usr/bin', PYTHONHOME: '/wrong', MORE: '1' } })
  expect(found.file).toBe(join(plain!, 'bin/python'))
  expect(found.cwd).toBe(folder)
  expect(found.env).toMatchObject({
    VIRTUAL_ENV: plain,
    PATH: `${join(plain!, 'bin')}:/usr/bin`,
    MORE: '1',
  })
  expect(found.env).not.toHaveProperty('PYTHONHOME')
})

test('then python3 in PATH; a folder that is only called venv is none', () => {
  mkdirSync(join(folder, 'venv'))
  const found = program(join(folder, 'python3'))
  mkdirSync(join(folder, 'earlier'))
  mkdirSync(join(folder, 'earlier', 'python3'))
  expect(command({ env: { PATH: `${join(folder, 'earlier')}:${folder}` } }).file).toBe(found)
})

test.each<[string, Partial<PythonAppPlan>, RegExp]>([
  [
    'no Python at all',
    { env: { PATH: '/nowhere' } },
    /^there is no Python on this machine; install Python 3.9 or newer/,
  ],
  [
    'none at the path',
    { python: '/nowhere/python3' },
    /there is no Python at \/nowhere\/python3; check `interpreter:`/,
  ],
  [
    'none of the name',
    { python: 'python3.99' },
    /there is no Python at python3.99; check `interpreter:`/,
  ],
  [
    'an environment without its interpreter',
    { venv: '/nowhere/venv' },
    /\/nowhere\/venv is no virtual environment that works .* make it with `python3 -m venv \/nowhere\/venv`/,
  ],
  ['a missing folder', { dir: '/nowhere/app' }, /there is no folder \/nowhere\/app; set `dir:`/],
])('says what to do about %s', (_, some, message) => {
  expect(() => command(some)).toThrow(message)
})

test('refuses one that is too old by its name or its environment', () => {
  const target = program(join(folder, 'python3.8'))
  symlinkSync(target, join(folder, 'python3'))
  expect(() => command({ env: { PATH: folder } })).toThrow(
    /python3 is Python 3.8, and 3.9 or newer is needed/,
  )
  environment('.venv', '3.7.3')
  expect(() => command({})).toThrow(/is Python 3.7, and 3.9 or newer/)
})

test('one that hides its age says so itself, in words it can read', async () => {
  // Stands for an old interpreter: the same check, with another idea of what is old.
  const source = `import sys, runpy
sys.version_info = (3, 8, 1, "final", 0)
runpy.run_path(sys.argv[1], run_name="__main__")
`
  writeFileSync(join(folder, 'old.py'), source)
  const old = program(
    join(folder, 'python'),
    `#!/bin/sh\nexec ${debianPython} ${join(folder, 'old.py')} "$@"\n`,
  )
  const supervisor = await Supervisor.start({ python: old })
  await expect(supervisor.heard('loaded')).rejects.toThrow(
    /Python 3.9 or newer is needed, .* is 3.8: name a newer one with `python:`/,
  )
  supervisor.say({ type: 'quit' })
  expect((await supervisor.exit).code).toBe(0)
  await supervisor.stop()
})
