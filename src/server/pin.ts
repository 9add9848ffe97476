/**
 * Sockets in folders that others can write to. What is there could be a link to another's socket, or become
 * one later: so the socket itself is held on to, and reached by our descriptor.
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { dirname } from 'node:path'

/** Opens a name in the file system, whatever it stands for, without using it (open(2)). */
const O_PATH = 0o10000000

export interface PinnedSocket {
  /** Means the same socket until it is closed. */
  readonly path: string
  close(): void
}

/** Null for what is no socket in exactly this folder, or not `uid`'s where one is named. */
export function pinSocket(path: string, folder: string, uid = -1): PinnedSocket | null {
  if (dirname(path) !== folder) return null
  let fd = -1
  try {
    fd = openSync(path, O_PATH | constants.O_NOFOLLOW)
    const stats = fstatSync(fd)
    if (stats.isSocket() && (uid < 0 || stats.uid === uid)) {
      const held = fd
      return { path: `/proc/self/fd/${held}`, close: () => closeSync(held) }
    }
  } catch {
    // There is none.
  }
  if (fd >= 0) closeSync(fd)
  return null
}
