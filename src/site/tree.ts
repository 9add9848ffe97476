/**
 * A site file as a tree that remembers where everything was written. YAML and TypeScript files both
 * become one, `include:` merges them, and every later message finds its line and column here.
 */
import type { KeyPath } from './problem.ts'

/** A file that was read. */
export interface Source {
  readonly file: string
  /** '' for a program, where positions in the text say nothing about the value. */
  readonly text: string
  /** What relative paths in it are relative to. */
  readonly base: string
}

export interface Place {
  readonly source: Source
  /** Into `source.text`; -1 where unknown. */
  readonly offset: number
}

export interface MapNode {
  readonly kind: 'map'
  readonly place: Place
  readonly entries: Map<string, Entry>
}

export interface Entry {
  readonly place: Place
  readonly node: Node
}

export interface ListNode {
  readonly kind: 'list'
  readonly place: Place
  readonly items: readonly Node[]
}

export interface ScalarNode {
  readonly kind: 'scalar'
  readonly place: Place
  readonly value: unknown
  /** As written: `1.10` where the value is 1.1. */
  readonly written: string
  /** A problem was reported already; what follows from it is not worth a second one. */
  readonly broken?: true
}

export type Node = MapNode | ListNode | ScalarNode

/** Deeper than any real site, shallower than the stack. */
export const DEEPEST = 32
/** Bounds what aliases and cyclic values may expand to. */
export const MOST_NODES = 200_000

/** The tree of a value that a program made. Throws RangeError on cycles and endless sizes. */
export function treeOf(value: unknown, source: Source): Node {
  const place: Place = { source, offset: -1 }
  let count = 0
  const convert = (item: unknown, depth: number): Node => {
    if (depth > DEEPEST || ++count > MOST_NODES) throw new RangeError('nested too deeply')
    if (Array.isArray(item)) {
      return { kind: 'list', place, items: Array.from(item, (each) => convert(each, depth + 1)) }
    }
    if (isPlain(item)) {
      const entries = new Map<string, Entry>()
      for (const [key, each] of Object.entries(item)) {
        if (each !== undefined) entries.set(key, { place, node: convert(each, depth + 1) })
      }
      return { kind: 'map', place, entries }
    }
    return { kind: 'scalar', place, ...leaf(item) }
  }
  return convert(value, 0)
}

/** A Date, a Map or a function is nothing that a setting could be: a symbol, which no rule accepts. */
function leaf(value: unknown): { value: unknown; written: string } {
  if (typeof value === 'function') return { value: Symbol('a function'), written: '' }
  if (typeof value !== 'object' || value === null) return { value, written: String(value) }
  const name: unknown = value.constructor?.name
  return { value: Symbol(typeof name === 'string' ? `a ${name}` : 'an object'), written: '' }
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const parent: unknown = Object.getPrototypeOf(value)
  return parent === Object.prototype || parent === null
}

/** The plain value of a tree, as the schema reads it. */
export function plainValue(node: Node): unknown {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.items.map(plainValue)
  const value: Record<string, unknown> = {}
  for (const [key, entry] of node.entries) {
    // Plain assignment to `__proto__` would change the object instead of filling it.
    Object.defineProperty(value, key, {
      value: plainValue(entry.node),
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  return value
}

export function nodeAt(root: Node, path: KeyPath): Node | undefined {
  let node: Node | undefined = root
  for (const key of path) node = node === undefined ? undefined : childOf(node, key)?.node
  return node
}

/** The names in the mapping at `path`, in the order of the file. */
export function namesAt(root: Node, path: KeyPath): string[] {
  const node = nodeAt(root, path)
  return node?.kind === 'map' ? [...node.entries.keys()] : []
}

/** Where `path` was written, or the nearest thing above it that was: its key, or its value. */
export function placeAt(root: Node, path: KeyPath, part: 'key' | 'value'): Place {
  let node = root
  let place = root.place
  for (const [index, key] of path.entries()) {
    const child = childOf(node, key)
    if (child === undefined) return place
    node = child.node
    place = index < path.length - 1 || part === 'key' ? child.place : node.place
  }
  return place
}

function childOf(node: Node, key: string | number): Entry | undefined {
  if (node.kind === 'map') return node.entries.get(String(key))
  if (node.kind !== 'list') return undefined
  const item = node.items[Number(key)]
  return item === undefined ? undefined : { place: item.place, node: item }
}

/** Line and column from 1, and the text of the line. */
export function locate({ source, offset }: Place): {
  line: number
  column: number
  excerpt: string
} {
  if (offset < 0) return { line: 0, column: 0, excerpt: '' }
  const before = source.text.slice(0, offset)
  const start = before.lastIndexOf('\n') + 1
  const end = source.text.indexOf('\n', offset)
  const line = (before.match(/\n/g)?.length ?? 0) + 1
  const excerpt = source.text.slice(start, end < 0 ? undefined : end).replace(/\r$/, '')
  return { line, column: offset - start + 1, excerpt }
}
