/**
 * Tells when files may have changed, of which some are links that are replaced (certbot, Kubernetes) and
 * some are patterns. Whoever is told looks for itself.
 */
import { type FSWatcher, statSync, watch } from 'node:fs'
import { dirname } from 'node:path'

/** Certificates are written in several files, one after the other, ms. */
const DEBOUNCE_MS = 500
/** File systems of other machines tell nothing, ms. */
const ANYWAY_MS = 600_000

export interface FileWatch {
  close(): void
}

/** `paths`: files, folders, or patterns for them. */
export function watchFiles(paths: readonly string[], changed: () => void): FileWatch {
  let timer: NodeJS.Timeout | undefined
  const touched = (): void => {
    clearTimeout(timer)
    timer = setTimeout(changed, DEBOUNCE_MS).unref()
  }
  const watchers: FSWatcher[] = []
  for (const folder of new Set(paths.flatMap(foldersOf))) {
    try {
      const watcher = watch(folder, { persistent: false }, touched)
      watcher.on('error', () => watcher.close())
      watchers.push(watcher)
    } catch {
      // It is looked at from time to time.
    }
  }
  const anyway = setInterval(changed, ANYWAY_MS).unref()
  return {
    close() {
      clearTimeout(timer)
      clearInterval(anyway)
      for (const watcher of watchers) watcher.close()
    },
  }
}

/** The folder of a file; of a pattern the last one without any; a folder and what it is in. */
function foldersOf(path: string): string[] {
  const wild = path.search(/[*?[{]/)
  if (wild >= 0) return [dirname(`${path.slice(0, wild)}x`)]
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  return isFolder ? [path, dirname(path)] : [dirname(path)]
}
