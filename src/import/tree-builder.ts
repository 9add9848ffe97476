/** Makes the tree of a site from settings found elsewhere; each keeps the place that it came from. */
import type { Entry, MapNode, Node, Place } from '../site/tree.ts'

/** A value with a place for each part would be a tree already: these have one place for all. */
type Value = string | number | boolean | readonly Value[] | { readonly [name: string]: Value }

export type { Value }

export class TreeBuilder {
  readonly root: MapNode

  constructor(place: Place) {
    this.root = { kind: 'map', place, entries: new Map() }
  }

  /** A later value replaces an earlier one. */
  set(path: readonly string[], value: Value, place: Place): void {
    const last = path.at(-1) ?? ''
    this.#map(path.slice(0, -1), place).entries.set(last, { place, node: nodeOf(value, place) })
  }

  /** Another item of a list. */
  add(path: readonly string[], value: Value, place: Place): void {
    const { entries } = this.#map(path.slice(0, -1), place)
    const last = path.at(-1) ?? ''
    const before = entries.get(last)
    const items = before?.node.kind === 'list' ? before.node.items : []
    const node: Node = {
      kind: 'list',
      place: before?.place ?? place,
      items: [...items, nodeOf(value, place)],
    }
    entries.set(last, { place: before?.place ?? place, node })
  }

  has(path: readonly string[]): boolean {
    let node: Node | undefined = this.root
    for (const key of path) node = node?.kind === 'map' ? node.entries.get(key)?.node : undefined
    return node !== undefined
  }

  #map(path: readonly string[], place: Place): MapNode {
    let node = this.root
    for (const key of path) {
      const entry: Entry | undefined = node.entries.get(key)
      if (entry?.node.kind === 'map') node = entry.node
      else {
        const inner: MapNode = { kind: 'map', place, entries: new Map() }
        node.entries.set(key, { place, node: inner })
        node = inner
      }
    }
    return node
  }
}

function nodeOf(value: Value, place: Place): Node {
  if (Array.isArray(value)) {
    return { kind: 'list', place, items: value.map((each: Value) => nodeOf(each, place)) }
  }
  if (typeof value === 'object') {
    const entries = Object.entries(value).map(([key, each]): [string, Entry] => [
      key,
      { place, node: nodeOf(each as Value, place) },
    ])
    return { kind: 'map', place, entries: new Map(entries) }
  }
  return { kind: 'scalar', place, value, written: String(value) }
}
