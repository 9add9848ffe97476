/** Folders of processes that were killed (-9), and so could not remove them. */
import { lstatSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isAlive } from './alive.ts'

/**
 * Removes what is called `<prefix><pid>-XXXXXX` in `parent` and whose process is gone. `isPrivate`: nobody
 * else puts anything there; elsewhere only what is ours goes, since root must not walk a tree that another
 * can swap.
 */
export function removeAbandoned(parent: string, prefix: string, isPrivate = false): void {
  for (const name of readdirSync(parent)) {
    const pid = name.startsWith(prefix) ? /^(\d+)-\w{6}$/.exec(name.slice(prefix.length))?.[1] : ''
    if (!pid || isAlive(Number(pid))) continue
    const folder = join(parent, name)
    if (!isPrivate && lstatSync(folder).uid !== process.getuid?.()) continue
    rmSync(folder, { recursive: true, force: true })
  }
}
