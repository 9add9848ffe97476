/** Flags of the command line, laid over a site's tree: the same rules hold for both. */
import { type Entry, type MapNode, type Node, type Source, treeOf } from './tree.ts'

export interface Overrides {
  /** In place of the site's listeners. */
  readonly listen?: string | readonly string[] | undefined
  /** For every application: a number or `auto`. */
  readonly workers?: number | string | undefined
  /** Threads of each worker, for every application that has them. */
  readonly threads?: number | string | undefined
  /** Threads of the server process: a number or `auto`. */
  readonly serverThreads?: number | string | undefined
  /** `stdout`, `stderr`, `off` or a file. */
  readonly access?: string | undefined
  readonly logFormat?: string | undefined
  /** Path of the admin socket. */
  readonly admin?: string | undefined
  readonly pid?: string | undefined
  readonly user?: string | undefined
  readonly group?: string | undefined
  readonly spool?: string | undefined
  readonly dev?: boolean | undefined
  /** Networks whose fields about the visitor are believed. */
  readonly trusted?: readonly string[] | undefined
  /** Restart on file change. */
  readonly watch?: boolean | undefined
}

/** Paths in flags are relative to `cwd`. */
export function override(root: MapNode, overrides: Overrides, cwd: string): MapNode {
  const source: Source = { file: 'command line', text: '', base: cwd }
  const { listen, workers, threads, serverThreads, access, logFormat } = overrides
  const { admin, pid, user, group, spool, dev, trusted } = overrides
  const entries = new Map(root.entries)
  put(
    entries,
    { listen, threads: serverThreads, admin, pid, user, group, spool, dev, trusted },
    source,
  )
  put(entries, { log: { access, format: logFormat } }, source)
  const apps = entries.get('apps')
  if (apps?.node.kind === 'map') {
    const changed = new Map<string, Entry>()
    const some = [...apps.node.entries.values()].some(hasThreads)
    for (const [name, entry] of apps.node.entries) {
      const settings = new Map([[name, entry]])
      // Only a mapping can be laid over; anything else is left for the schema to refuse.
      if (entry.node.kind === 'map') {
        const own = some && !hasThreads(entry) ? undefined : threads
        put(settings, { [name]: { workers, threads: own } }, source)
      }
      changed.set(name, settings.get(name) ?? entry)
    }
    entries.set('apps', { ...apps, node: { ...apps.node, entries: changed } })
  }
  return { ...root, entries }
}

/** WSGI applications have threads; others take many requests at a time without, or one. */
function hasThreads({ node }: Entry): boolean {
  if (node.kind !== 'map' || !node.entries.has('python')) return false
  const mode = node.entries.get('mode')?.node
  return mode === undefined || (mode.kind === 'scalar' && /^(auto|wsgi)$/.test(mode.written))
}

/** Mappings are filled key by key, everything else is replaced. */
function put(entries: Map<string, Entry>, values: Record<string, unknown>, source: Source): void {
  for (const [key, value] of Object.entries(values)) {
    if (value === undefined) continue
    const node: Node = treeOf(value, source)
    const before = entries.get(key)
    if (node.kind === 'map' && before?.node.kind === 'map') {
      const inner = new Map(before.node.entries)
      for (const [name, entry] of node.entries) inner.set(name, entry)
      entries.set(key, { ...before, node: { ...before.node, entries: inner } })
    } else if (node.kind !== 'map' || node.entries.size > 0) {
      entries.set(key, { place: node.place, node })
    }
  }
}
