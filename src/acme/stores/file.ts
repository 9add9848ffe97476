/**
 * A folder that one machine has, or several share. Each value is a file of its own, readable by its owner
 * alone; locks are the kernel's (flock), so that they end with the process that holds them, on NFS, too.
 */

import { randomBytes } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { flock } from '../../system/libc.ts'
import { checkKey, type Lease, type Store } from '../store.ts'

const LOCK_EX = 2
const LOCK_NB = 4
/** How a value that ends by itself begins. */
const UNTIL = /^#until (\d+)\n/
const never: AbortSignal = new AbortController().signal

export class FileStore implements Store {
  readonly shown: string
  readonly #folder: string
  /** Of this process: a lock of the kernel's is not taken twice by who opens the file anew. */
  readonly #held = new Set<string>()

  constructor(folder: string) {
    this.shown = folder
    this.#folder = folder
  }

  async read(key: string): Promise<string | null> {
    const path = this.#path(key)
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null
      throw error
    })
    const [first = '', until] = (text === null ? null : UNTIL.exec(text)) ?? []
    if (text === null || until === undefined) return text
    if (Number(until) > Date.now()) return text.slice(first.length)
    await rm(path, { force: true })
    return null
  }

  async write(key: string, value: string | null, forMs?: number): Promise<void> {
    const path = this.#path(key)
    if (value === null) return rm(path, { force: true })
    await makeFolder(path)
    const draft = `${path}.${randomBytes(6).toString('hex')}.new`
    try {
      const file = await open(draft, 'wx', 0o600)
      try {
        const head = forMs === undefined ? '' : `#until ${Date.now() + forMs}\n`
        await file.writeFile(head + value)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(draft, path)
    } catch (error) {
      await rm(draft, { force: true })
      throw error
    }
  }

  async lock(name: string): Promise<Lease | null> {
    const path = this.#path(`locks/${name}`)
    if (this.#held.has(path)) return null
    await makeFolder(path)
    const fd = openSync(path, 'a', 0o600)
    if (flock(fd, LOCK_EX | LOCK_NB) !== 0) {
      closeSync(fd)
      return null
    }
    this.#held.add(path)
    let isHeld = true
    return {
      lost: never,
      release: async () => {
        if (!isHeld) return
        isHeld = false
        this.#held.delete(path)
        // The file stays: who removes it could remove one that somebody else has locked meanwhile.
        closeSync(fd)
      },
    }
  }

  close(): void {}

  #path(key: string): string {
    return join(this.#folder, checkKey(key))
  }
}

/** Nobody else may look into what we make; a folder that the owner has made is as its owner wants it. */
async function makeFolder(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
}
