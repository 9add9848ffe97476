/** The folder in which jobs are kept: for the user alone that the commons process runs as. */
import {
  chmodSync,
  chownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  statSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

interface Owner {
  readonly uid: number
  readonly gid: number
}

/** Whether that user, who owns no more than the folder itself, has a way to where it is or will be. */
export function isReachable(folder: string, { uid, gid }: Owner): boolean {
  for (let path = dirname(dirname(folder)); ; path = dirname(path)) {
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat !== undefined) {
      const bit = stat.uid === uid ? 0o100 : stat.gid === gid ? 0o010 : 0o001
      if ((stat.mode & bit) === 0) return false
    }
    if (path === dirname(path)) return true
  }
}

/** `owner` null: whoever we are. Throws when it cannot be. */
export function prepareJobsFolder(folder: string, owner: Owner | null): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const stat = lstatSync(folder)
  if (!stat.isDirectory()) throw new Error(`${folder} is no folder`)
  if (process.getuid?.() !== 0) return
  if (owner === null) return chownSync(folder, 0, 0)
  // Through the site's folder, which is root's, its owner has to come; no further right is needed.
  const parent = dirname(folder)
  chmodSync(parent, lstatSync(parent).mode | 0o011)
  if (stat.uid === owner.uid) return
  // Nobody else could put anything into it until now.
  for (const name of readdirSync(folder)) lchownSync(join(folder, name), owner.uid, owner.gid)
  chownSync(folder, owner.uid, owner.gid)
}
