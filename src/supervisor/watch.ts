/**
 * Tells when a file that a running site depends on has changed. One watch a folder (the kernel's own
 * watches are not recursive); folders that come later are followed.
 */
import { type FSWatcher, readdirSync, watch } from 'node:fs'
import { dirname, extname, join } from 'node:path'
import type { SitePlan } from '../site/plan.ts'
import type { Logger } from './logger.ts'

/** Editors and `git checkout` write in bursts, ms. */
const DEBOUNCE_MS = 150
/** A bound on kernel watches; a larger tree is most likely not an application's source. */
const MOST_FOLDERS = 4_096

const IGNORED = new Set(['__pycache__', 'node_modules', 'venv', 'env', 'site-packages'])
/** Code and templates. Not data: an application that writes its own would reload for ever. */
const EXTENSIONS = new Set(
  [
    '.html .htm .jinja .jinja2 .j2 .mako .pt .tmpl',
    '.py .pyi .so .php .pl .pm .psgi .tt .ep .rb .ru .erb .haml .slim',
    '.js .mjs .cjs .jsx .ts .mts .cts .tsx',
  ]
    .join(' ')
    .split(' '),
)

export interface Watcher {
  /** Returns what has changed and was not told yet, '' for nothing. */
  close(): string
}

/** Calls `changed` with the last changed path of each burst. Takes over from the watch `before`. */
export function watchSite(
  plan: SitePlan,
  logger: Logger,
  changed: (path: string) => void,
  before: Watcher | null = null,
): Watcher {
  const folders = new Map<string, FSWatcher>()
  const sources = new Set(plan.sources)
  let timer: NodeJS.Timeout | undefined
  let untold = ''

  const touched = (path: string): void => {
    clearTimeout(timer)
    untold = path
    timer = setTimeout(() => {
      untold = ''
      changed(path)
    }, DEBOUNCE_MS)
  }
  /** `inTree`: the folder is an application's, so its code and its subfolders matter as well. */
  const seen = (folder: string, name: string, inTree: boolean): void => {
    const path = join(folder, name)
    if (sources.has(path) || (inTree && EXTENSIONS.has(extname(name)))) touched(path)
    else if (inTree && !isIgnored(name) && extname(name) === '') addTree(path)
  }
  const add = (folder: string, inTree: boolean): boolean => {
    if (folders.has(folder) || folders.size > MOST_FOLDERS) return false
    try {
      const watcher = watch(folder, (_event, name) => name !== null && seen(folder, name, inTree))
      watcher.on('error', () => {
        watcher.close()
        folders.delete(folder)
      })
      folders.set(folder, watcher)
    } catch {
      return false
    }
    if (folders.size > MOST_FOLDERS) {
      logger.warn(`more than ${MOST_FOLDERS} folders to watch; changes in the others go unseen`)
    }
    return true
  }
  const addTree = (folder: string): void => {
    if (!add(folder, true)) return
    for (const name of subfolders(folder)) if (!isIgnored(name)) addTree(join(folder, name))
  }

  // PHP reads its files anew by itself, and its applications write some of their own.
  for (const app of Object.values(plan.apps)) if (app.kind !== 'php') addTree(app.dir)
  for (const source of plan.sources) add(dirname(source), false)
  // Only now: what the kernel has not told yet comes to whoever else watches the same folder then.
  const missed = before?.close() ?? ''
  if (missed !== '') touched(missed)

  return {
    close() {
      clearTimeout(timer)
      for (const watcher of folders.values()) watcher.close()
      folders.clear()
      return untold
    },
  }
}

function isIgnored(name: string): boolean {
  return name.startsWith('.') || IGNORED.has(name)
}

function subfolders(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
  } catch {
    return []
  }
}
