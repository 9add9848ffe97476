/** A Gunicorn configuration file: run by the application's Python, which tells what it sets. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PythonValue } from './python-values.ts'

const PROGRAM = fileURLToPath(new URL('./show_settings.py', import.meta.url))
/** What a configuration may take, ms, and say, bytes. */
const LONGEST_MS = 30_000
const LARGEST = 4 * 1024 * 1024

export interface ReadConfig {
  readonly settings: Readonly<Record<string, PythonValue>>
  /** What went wrong: a traceback; '' when nothing did. */
  readonly failure: string
}

/** `target`: a path, `file:path` or `python:module`. */
export function readConfig(
  target: string,
  folder: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ReadConfig> {
  const python = interpreter(folder, environment)
  const options = {
    cwd: folder,
    env: { ...environment } as NodeJS.ProcessEnv,
    timeout: LONGEST_MS,
    killSignal: 'SIGKILL' as const,
    maxBuffer: LARGEST,
  }
  return new Promise((resolve) => {
    execFile(python, [PROGRAM, folder, target], options, (error, stdout, stderr) => {
      if (error !== null) {
        const failure = stderr.trim() || error.message
        resolve({ settings: {}, failure })
      } else resolve({ settings: JSON.parse(stdout), failure: '' })
    })
  })
}

/** As the application gets it: its virtual environment's, else the one in PATH. */
export function interpreter(
  folder: string,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const own = ['.venv', 'venv'].map((name) => join(folder, name))
  for (const venv of [environment.VIRTUAL_ENV ?? '', ...own]) {
    const file = join(venv, 'bin', 'python')
    if (venv !== '' && existsSync(file)) return file
  }
  return 'python3'
}
