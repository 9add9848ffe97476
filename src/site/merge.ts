/** What `include:` means: sites, applications and pools add up; of plain settings, one wins. */
import { type KeyPath, quote } from './problem.ts'
import type { Report } from './report.ts'
import { type Entry, type ListNode, locate, type MapNode, type Node } from './tree.ts'

/** Mappings of things with names, and how deep below them a name must not come twice. */
const NAMED: Readonly<Record<string, number>> = {
  hosts: 2,
  routes: 1,
  apps: 1,
  pools: 1,
  daemons: 1,
}
/** Lists, of which every file may have some. */
const LISTS = ['listen', 'cron', 'timers', 'watch']
/** Mappings of settings, where each setting stands for itself. */
const SECTIONS = ['limits', 'timeouts', 'log']

/** `main` with what `included` adds. Where both have a setting, `main` wins. */
export function merge(main: MapNode, included: MapNode, report: Report): MapNode {
  const entries = new Map(main.entries)
  for (const [key, theirs] of included.entries) {
    const ours = entries.get(key)
    if (ours === undefined || isEmpty(ours.node)) entries.set(key, theirs)
    else if (LISTS.includes(key)) entries.set(key, { ...ours, node: join(ours.node, theirs.node) })
    else if (SECTIONS.includes(key)) entries.set(key, fill(ours, theirs, [key], 0, report))
    else if (Object.hasOwn(NAMED, key)) {
      entries.set(key, fill(ours, theirs, [key], NAMED[key] ?? 0, report))
    }
  }
  return { ...main, entries }
}

function isEmpty(node: Node): boolean {
  return node.kind === 'scalar' && node.value === null
}

function join(a: Node, b: Node): ListNode {
  const items = [a, b].flatMap((node) => (node.kind === 'list' ? node.items : [node]))
  return { kind: 'list', place: a.place, items }
}

/** Entries of both; at the last of `levels`, a name in both is a problem. */
function fill(ours: Entry, theirs: Entry, path: KeyPath, levels: number, report: Report): Entry {
  if (ours.node.kind !== 'map' || theirs.node.kind !== 'map') return ours
  const entries = new Map(ours.node.entries)
  for (const [key, entry] of theirs.node.entries) {
    const first = entries.get(key)
    const here = [...path, key]
    if (first === undefined) entries.set(key, entry)
    else if (levels > 1) entries.set(key, fill(first, entry, here, levels - 1, report))
    else if (levels === 1) {
      const { line } = locate(first.place)
      const where = first.place.source.file + (line === 0 ? '' : `:${line}`)
      report.problem(entry.place, here, `${quote(key)} is there already, in ${where}`)
    }
  }
  return { ...ours, node: { ...ours.node, entries } }
}
