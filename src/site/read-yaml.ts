/** YAML text to a tree with positions, environment variables filled in. */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Pair,
  parseDocument,
  type Scalar,
  type YAMLError,
  type Node as YamlNode,
} from 'yaml'
import { substitute } from './environment.ts'
import { type KeyPath, quote } from './problem.ts'
import type { Report } from './report.ts'
import {
  DEEPEST,
  type Entry,
  locate,
  type MapNode,
  MOST_NODES,
  type Node,
  type Place,
  type Source,
} from './tree.ts'

const MOST_ALIASES = 1000

type Environment = Readonly<Record<string, string | undefined>>

/** The tree, or undefined when the text is not YAML; `report` says why. */
export function readYaml(
  source: Source,
  environment: Environment,
  report: Report,
): Node | undefined {
  const at = (offset: number): Place => ({ source, offset })
  let document: Document.Parsed
  try {
    // Our own check of double keys knows where the first one is, and sees substituted keys too.
    document = parseDocument(source.text, { prettyErrors: false, uniqueKeys: false })
  } catch {
    // The library recurses: thousands of open brackets exhaust the stack.
    report.problem(at(0), [], 'not readable as YAML: nested too deeply')
    return undefined
  }
  const complaints: YAMLError[] = [...document.errors, ...document.warnings]
  for (const complaint of complaints) report.problem(at(complaint.pos[0]), [], explain(complaint))
  if (complaints.length > 0) return undefined
  if (document.contents === null) return { kind: 'map', place: at(0), entries: new Map() }
  return new Reader(source, document, environment, report).node(document.contents, [], 0)
}

function explain(complaint: YAMLError): string {
  if (complaint.code === 'TAB_AS_INDENT') return 'YAML is indented with spaces, never with tabs'
  if (complaint.code === 'MULTIPLE_DOCS') return 'one site a file: remove what follows `---`'
  return complaint.message.replace(/\s+/g, ' ')
}

class Reader {
  readonly #source: Source
  readonly #document: Document.Parsed
  readonly #environment: Environment
  readonly #report: Report
  readonly #aliases = new Map<Alias, YamlNode>()
  #count = 0

  constructor(source: Source, document: Document.Parsed, environment: Environment, report: Report) {
    this.#source = source
    this.#document = document
    this.#environment = environment
    this.#report = report
  }

  node(node: YamlNode | null, path: KeyPath, depth: number): Node {
    const place = this.#place(node)
    if (depth > DEEPEST || ++this.#count > MOST_NODES) {
      if (this.#count <= MOST_NODES + 1) this.#report.problem(place, path, 'nested too deeply')
      return broken(place)
    }
    if (isAlias(node)) return this.#alias(node, path, depth)
    if (isMap(node)) return this.#map(node.items, place, path, depth)
    if (isSeq(node)) {
      const items = node.items.map((item, index) =>
        this.node(item as YamlNode | null, [...path, index], depth + 1),
      )
      return { kind: 'list', place, items }
    }
    return isScalar(node)
      ? this.#scalar(node, path)
      : { kind: 'scalar', place, value: null, written: '' }
  }

  #map(pairs: readonly Pair[], place: Place, path: KeyPath, depth: number): MapNode {
    const entries = new Map<string, Entry>()
    const merged: Node[] = []
    for (const pair of pairs) {
      const value = pair.value as YamlNode | null
      const key = this.#key(pair.key as YamlNode | null, path)
      if (key === undefined) continue
      const here = [...path, key.text]
      if (key.text === '<<') {
        merged.push(this.node(value, here, depth + 1))
        continue
      }
      const first = entries.get(key.text)
      if (first !== undefined) {
        const line = locate(first.place).line
        this.#report.problem(
          key.place,
          here,
          `the key ${quote(key.text)} is there twice, first in line ${line}`,
        )
        continue
      }
      entries.set(key.text, { place: key.place, node: this.node(value, here, depth + 1) })
    }
    for (const node of merged) this.#merge(entries, node, path)
    return { kind: 'map', place, entries }
  }

  /** `<<: *name`, or a list of them: what is not there yet. */
  #merge(entries: Map<string, Entry>, node: Node, path: KeyPath): void {
    if (node.kind === 'list') for (const item of node.items) this.#merge(entries, item, path)
    else if (node.kind === 'map') {
      for (const [key, entry] of node.entries) if (!entries.has(key)) entries.set(key, entry)
    } else if (node.broken !== true) {
      this.#report.problem(node.place, [...path, '<<'], 'expected a mapping to merge')
    }
  }

  #key(node: YamlNode | null, path: KeyPath): { text: string; place: Place } | undefined {
    const place = this.#place(node)
    const target = isAlias(node) ? this.#resolve(node) : node
    if (!isScalar(target) || target.value === null) {
      this.#report.problem(place, path, 'a key must be text')
      return undefined
    }
    const written =
      typeof target.value === 'string' ? target.value : (target.source ?? String(target.value))
    const text = this.#substitute(target, written, path)
    return text === undefined ? undefined : { text, place }
  }

  #alias(alias: Alias, path: KeyPath, depth: number): Node {
    const target = this.#resolve(alias)
    if (target !== undefined) return this.node(target, path, depth + 1)
    this.#report.problem(this.#place(alias), path, `no anchor &${alias.source}`)
    return broken(this.#place(alias))
  }

  /** The library looks through the whole document for each, so each is asked for once. */
  #resolve(alias: Alias): YamlNode | undefined {
    const known = this.#aliases.get(alias)
    if (known !== undefined || this.#aliases.size >= MOST_ALIASES) return known
    const target = alias.resolve(this.#document)
    if (target !== undefined) this.#aliases.set(alias, target)
    return target
  }

  #scalar(scalar: Scalar, path: KeyPath): Node {
    const place = this.#place(scalar)
    if (typeof scalar.value !== 'string') {
      return { kind: 'scalar', place, value: scalar.value, written: scalar.source ?? '' }
    }
    const text = this.#substitute(scalar, scalar.value, path)
    return text === undefined
      ? broken(place)
      : { kind: 'scalar', place, value: text, written: text }
  }

  #substitute(scalar: Scalar, written: string, path: KeyPath): string | undefined {
    const { text, problems } = substitute(written, this.#environment)
    const [start = 0, end = start] = scalar.range ?? []
    for (const { at, message } of problems) {
      // Quotes and folds shift what is inside a scalar: look for the reference itself.
      const reference = written.slice(at, at + 8)
      const found = this.#source.text.slice(start, end).indexOf(reference)
      const offset = start + Math.max(0, found)
      this.#report.problem({ source: this.#source, offset }, path, message)
    }
    return problems.length > 0 ? undefined : text
  }

  #place(node: YamlNode | null): Place {
    return { source: this.#source, offset: node?.range?.[0] ?? 0 }
  }
}

function broken(place: Place): Node {
  return { kind: 'scalar', place, value: undefined, written: '', broken: true }
}
