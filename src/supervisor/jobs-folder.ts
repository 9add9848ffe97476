/** The folder in which jobs are kept: for the user alone that the commons process runs as. */
import { chmodSync, chownSync, lstatSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'

/** `owner` null: whoever we are. Throws when it cannot be. */
export function prepareJobsFolder(
  folder: string,
  owner: { readonly uid: number; readonly gid: number } | null,
): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const stat = lstatSync(folder)
  if (!stat.isDirectory()) throw new Error(`${folder} is no folder`)
  if (owner === null || process.getuid?.() !== 0) return
  // Through the site's folder, which is root's, its owner has to come; no further right is needed.
  const parent = dirname(folder)
  chmodSync(parent, lstatSync(parent).mode | 0o011)
  if (stat.uid !== owner.uid) chownSync(folder, owner.uid, owner.gid)
}
