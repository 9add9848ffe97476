/** Temporary folders with files of a settled age, and the plan that serves them. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { FilesPlan } from '../../src/site/plan.ts'

export class Folder {
  /** The folder that is served, and beside it what must never be. */
  readonly root: string
  readonly outside: string
  readonly #all: string

  constructor() {
    this.#all = realpathSync(mkdtempSync(join(tmpdir(), 'portico-files-')))
    this.root = join(this.#all, 'public')
    this.outside = join(this.#all, 'private')
    mkdirSync(this.root)
    mkdirSync(this.outside)
  }

  /** Writes a file below the root, last changed `age` seconds ago. Returns its path. */
  write(name: string, content: string | Buffer, age = 3600): string {
    const path = join(this.root, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
    const time = Math.floor(Date.now() / 1000) - age
    utimesSync(path, time, time)
    return path
  }

  remove(): void {
    rmSync(this.#all, { recursive: true, force: true })
  }
}

export function filesPlan(root: string, more: Partial<FilesPlan> = {}): FilesPlan {
  return {
    kind: 'files',
    root,
    index: ['index.html'],
    cacheSeconds: -1,
    fallback: '',
    list: false,
    precompressed: true,
    ...more,
  }
}
