/** The file system as a PHP site is looked up in it. */

import { nativePath } from '../files/byte-path.ts'
import { errno } from '../files/failure.ts'
import { realPath, statOf } from '../files/inspect.ts'
import type { Disk } from './resolve.ts'

/** What cannot be the path of a file: pretty links may be longer than any name. */
const NOTHING: ReadonlySet<string> = new Set([
  'ENOENT',
  'ENOTDIR',
  'ENAMETOOLONG',
  'ELOOP',
  'EINVAL',
])

/** Throws what the file system throws when it may not be looked at. */
export const disk: Disk = {
  kind(path) {
    const stats = unlessNothing(() => statOf(nativePath(path)))
    if (stats === undefined) return ''
    return stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : ''
  },
  real: (path) => unlessNothing(() => realPath(path)) ?? '',
}

function unlessNothing<Value>(look: () => Value): Value | undefined {
  try {
    return look()
  } catch (cause) {
    if (NOTHING.has(errno(cause))) return undefined
    throw cause
  }
}
