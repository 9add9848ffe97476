/** A virtual environment of Debian's Python with the newest packages of PyPI. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PYTHON } from '../flows/support/portico.ts'

/** Its path; the folder around it is the caller's to remove. */
export function makeVenv(packages: readonly string[]): { folder: string; venv: string } {
  const folder = mkdtempSync(join(tmpdir(), 'portico-peers-'))
  const venv = join(folder, '.venv')
  execFileSync(PYTHON, ['-m', 'venv', venv])
  execFileSync(join(venv, 'bin', 'pip'), ['install', '--quiet', ...packages], { stdio: 'inherit' })
  return { folder, venv }
}
