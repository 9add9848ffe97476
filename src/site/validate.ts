/** The schema's verdict on a tree, in the words of a site file: key, place, what was expected. */
import type { z } from 'zod'
import { nearest } from './nearest.ts'
import { otherName } from './other-names.ts'
import { type KeyPath, quote } from './problem.ts'
import type { Hint, Report } from './report.ts'
import { notYet, type Settings, siteSchema } from './settings.ts'
import { type Node, placeAt, plainValue } from './tree.ts'

export interface Validated {
  /** What is right; what was wrong is left out, so that the rest can still be checked. */
  readonly settings: Settings
  /** The paths that were left out. */
  readonly broken: readonly KeyPath[]
}

interface Finding {
  readonly path: KeyPath
  readonly message: string
  readonly hint: Hint
  /** An unknown key that was meant to be this one; that it is missing goes without saying. */
  readonly standsFor?: KeyPath
}

const MISSING = 'missing'

/** Each round takes at least one key out, so this is only ever reached by hostile input. */
const MOST_ROUNDS = 200

export function validate(root: Node, report: Report): Validated {
  const broken = brokenPaths(root, [])
  const excused = new Set<string>()
  let value = withoutEmptySections(plainValue(root))
  for (const path of broken) value = prune(value, path)
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const result = siteSchema().safeParse(value)
    if (result.success) return { settings: result.data, broken }
    const known = broken.slice()
    const findings = result.error.issues.flatMap((issue) => explain(issue, value))
    for (const { standsFor } of findings) if (standsFor) excused.add(JSON.stringify(standsFor))
    for (const { path, message, hint } of findings) {
      // What is wrong only because something was taken out is not the owner's mistake.
      const follows = known.some((gone) => path.every((key, index) => gone[index] === key))
      const told = message === MISSING && isExcused(excused, path)
      if (!follows && !told) report.problem(placeOf(root, path, hint), path, message, hint)
      broken.push(path)
    }
    for (const path of broken.slice(known.length)) value = prune(value, path)
  }
  return { settings: siteSchema().parse({}), broken: [[]] }
}

/** Another language's key stands for whichever key is missing beside it. */
function isExcused(excused: ReadonlySet<string>, path: KeyPath): boolean {
  const anyKey = [...path.slice(0, -1), '*']
  return [path, anyKey].some((each) => excused.has(JSON.stringify(each)))
}

function placeOf(root: Node, path: KeyPath, hint: Hint): ReturnType<typeof placeAt> {
  return placeAt(root, path, hint.key === true ? 'key' : 'value')
}

function brokenPaths(node: Node, path: KeyPath): KeyPath[] {
  if (node.kind === 'scalar') return node.broken === true ? [path] : []
  if (node.kind === 'list') return node.items.flatMap((item, i) => brokenPaths(item, [...path, i]))
  return [...node.entries].flatMap(([key, entry]) => brokenPaths(entry.node, [...path, key]))
}

/** `pools:` with everything below it commented out is a section that is not there. */
function withoutEmptySections(value: unknown): unknown {
  if (!isRecord(value)) return value
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== null))
}

/**
 * Takes out what is at `path`; where nothing is, what lacks it. A list goes as a whole: its items'
 * numbers are places. In place: a copy for each of ten thousand wrong keys takes half a minute.
 */
function prune(root: unknown, path: KeyPath): unknown {
  let parent = root
  for (const [index, key] of path.entries()) {
    const name = String(key)
    if (!isRecord(parent) || !Object.hasOwn(parent, name)) break
    const child = parent[name]
    const next = path[index + 1]
    if (next === undefined || !isRecord(child) || !Object.hasOwn(child, String(next))) {
      delete parent[name]
      return root
    }
    parent = child
  }
  return {}
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function explain(issue: z.core.$ZodIssue, root: unknown): Finding[] {
  const path = keyPath(issue.path)
  const value = follow(root, path)
  const findings = explainAt(issue, path, value, schemasAt(siteSchema(), path))
  return findings.length > 0 ? findings : [{ path, ...mismatch(value, issue.message) }]
}

function keyPath(path: readonly PropertyKey[]): KeyPath {
  return path.map((key) => (typeof key === 'number' ? key : String(key)))
}

function follow(root: unknown, path: KeyPath): unknown {
  return path.reduce<unknown>(
    (value, key) => (value as Record<string, unknown> | null | undefined)?.[key],
    root,
  )
}

function explainAt(
  issue: z.core.$ZodIssue,
  path: KeyPath,
  value: unknown,
  schemas: readonly z.core.$ZodType[],
): Finding[] {
  switch (issue.code) {
    case 'unrecognized_keys':
      // A union hands on the complaint of the one option that fits but for its keys.
      if (isRecord(value) && (schemas.filter(isObject).length > 1 || schemas.some(isNames))) {
        return explainEither(path, value, schemas, issue.message)
      }
      return issue.keys.map((key) => unknownKey([...path, key], key, keysOf(schemas)))
    case 'invalid_key': {
      const expected = issue.issues[0]?.message ?? 'another name'
      return [
        {
          path,
          message: `not a valid name here: ${quote(String(path.at(-1)))}`,
          hint: { expected, key: true },
        },
      ]
    }
    case 'invalid_union':
      return explainUnion(issue, path, value, schemas)
    default:
      return [{ path, ...mismatch(value, issue.message) }]
  }
}

function mismatch(value: unknown, expected: string): { message: string; hint: Hint } {
  if (value === undefined) return { message: MISSING, hint: { expected, key: true } }
  if (value === null) return { message: 'empty', hint: { expected, key: true } }
  return { message: `wrong ${kindOf(value)}`, hint: { expected } }
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'value: a list'
  if (isRecord(value)) return 'value: a mapping'
  return typeof value === 'symbol' ? `value: ${value.description}` : 'value'
}

/** A mapping that may be one of several is judged as the one whose own key it has. */
function explainUnion(
  issue: z.core.$ZodIssueInvalidUnion,
  path: KeyPath,
  value: unknown,
  schemas: readonly z.core.$ZodType[],
): Finding[] {
  const options = schemas.filter(isObject)
  if (isRecord(value) && options.length > 0)
    return explainEither(path, value, schemas, issue.message)
  if (Array.isArray(value)) {
    // The list among the options: what is wrong is inside it.
    const inside = issue.errors.find(
      (branch) => branch.length > 0 && branch.every((each) => each.path.length > 0),
    )
    if (inside !== undefined)
      return inside.flatMap((each) => explainBelow(each, path, value, schemas))
  }
  const only = issue.errors.flat().find((each) => each.path.length === 0 && each.code === 'custom')
  return [{ path, ...mismatch(value, only?.message ?? issue.message) }]
}

/** A mapping of settings, or where any names may stand as well, of these. */
function explainEither(
  path: KeyPath,
  value: Record<string, unknown>,
  schemas: readonly z.core.$ZodType[],
  expected: string,
): Finding[] {
  const options = schemas.filter(isObject)
  const names = schemas.find(isNames)
  return names === undefined || looksLike(value, options)
    ? explainMapping(path, value, options, expected)
    : explainNames(path, value, names)
}

/** Whether it is one of these mappings, perhaps misspelled, where any names might stand instead. */
function looksLike(value: object, options: readonly z.core.$ZodObject[]): boolean {
  const keys = keysOf(options)
  return Object.keys(value).some((key) => keys.includes(key) || nearest(key, keys) !== '')
}

function explainNames(path: KeyPath, value: object, names: z.core.$ZodType): Finding[] {
  const result = (names as z.core.$ZodType & z.ZodType).safeParse(value)
  return (result.error?.issues ?? []).flatMap((each) => explainBelow(each, path, value, [names]))
}

function explainBelow(
  issue: z.core.$ZodIssue,
  path: KeyPath,
  value: unknown,
  schemas: readonly z.core.$ZodType[],
): Finding[] {
  const below = keyPath(issue.path)
  const item = follow(value, below)
  const inner = schemas.flatMap((schema) => schemasAt(schema, below))
  return explainAt(issue, [...path, ...below], item, inner)
}

function explainMapping(
  path: KeyPath,
  value: Record<string, unknown>,
  options: readonly z.core.$ZodObject[],
  expected: string,
): Finding[] {
  const chosen = options.filter((option) => {
    const own = ownKeys(option)
    // Where there is no other, and none of its keys is needed, it needs no telling.
    return (
      own.some((key) => Object.hasOwn(value, key)) || (options.length === 1 && own.length === 0)
    )
  })
  const [option, another] = chosen
  if (option !== undefined && another !== undefined) {
    const names = chosen.map((each) => ownKeys(each)[0] ?? '')
    const extra = names[1] ?? ''
    return [
      {
        path: [...path, extra],
        message: `${names.map(quote).join(' and ')} exclude each other`,
        hint: { key: true },
      },
    ]
  }
  if (option === undefined) {
    const all = keysOf(options)
    const unknown = Object.keys(value).filter((key) => !all.includes(key))
    if (unknown.length > 0) return unknown.map((key) => unknownKey([...path, key], key, all))
    return [{ path, message: 'nothing to do here', hint: { expected, key: true } }]
  }
  const result = (option as z.core.$ZodObject & z.ZodType).safeParse(value)
  return (result.error?.issues ?? []).flatMap((each) => {
    if (each.code !== 'unrecognized_keys' || each.path.length > 0) {
      return explainBelow(each, path, value, [option])
    }
    return each.keys.map((key) => {
      const owners = options.filter((other) => Object.hasOwn(other._zod.def.shape, key))
      if (owners.length === 0) return unknownKey([...path, key], key, keysOf([option]))
      const others = owners.map((owner) => quote(ownKeys(owner)[0] ?? '')).join(' or ')
      const message = `${quote(key)} goes with ${others}, not with ${quote(ownKeys(option)[0] ?? '')}`
      return { path: [...path, key], message, hint: { key: true } }
    })
  })
}

function unknownKey(path: KeyPath, key: string, known: readonly string[]): Finding {
  const parent = path.slice(0, -1)
  const reasons = notYet[String(path[0])]
  if (reasons !== undefined && Object.hasOwn(reasons, key)) {
    const message = reasons[key] ?? ''
    return { path, message, hint: { key: true }, standsFor: [...parent, '*'] }
  }
  const message = `unknown key ${quote(key)}`
  const other = otherName(key, known)
  if (other !== null && other.write !== '') {
    const standsFor = [...parent, other.key]
    return { path, message, hint: { key: true, expected: other.write }, standsFor }
  }
  const meant = other?.key ?? nearest(key, known)
  if (meant === '') {
    // Such as `daemons` in an application.
    const isAbove = keysOf([siteSchema()]).includes(key)
    const expected = isAbove ? `${key} at the top level of the site file` : known.join(', ')
    return { path, message, hint: { key: true, expected } }
  }
  return { path, message, hint: { key: true, nearest: meant }, standsFor: [...parent, meant] }
}

// ── walking the schema ───────────────────────────────────────────────────────────────────────────

/** The schemas that may apply at `path`, without their wrappers. */
function schemasAt(schema: z.core.$ZodType, path: KeyPath): z.core.$ZodType[] {
  let current = unwrap(schema)
  for (const key of path) {
    current = current.flatMap((each) => {
      const { def } = (each as z.core.$ZodTypes)._zod
      if (def.type === 'record') return unwrap(def.valueType)
      if (def.type === 'array') return typeof key === 'number' ? unwrap(def.element) : []
      if (def.type !== 'object') return []
      const child = def.shape[String(key)]
      return child === undefined ? [] : unwrap(child)
    })
    // What several options of a union have in common is one thing.
    current = [...new Set(current)]
  }
  return current
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType[] {
  const { def } = (schema as z.core.$ZodTypes)._zod
  if (def.type === 'optional' || def.type === 'prefault') return unwrap(def.innerType)
  if (def.type === 'pipe') return unwrap(def.in)
  if (def.type === 'union') return def.options.flatMap(unwrap)
  return [schema]
}

/** Any names to values. */
function isNames(schema: z.core.$ZodType): boolean {
  return schema._zod.def.type === 'record'
}

function isObject(schema: z.core.$ZodType): schema is z.core.$ZodObject {
  return schema._zod.def.type === 'object'
}

function keysOf(schemas: readonly z.core.$ZodType[]): string[] {
  return [...new Set(schemas.filter(isObject).flatMap((each) => Object.keys(each._zod.def.shape)))]
}

/** The keys that a mapping must have: what tells it from the others of a union. */
function ownKeys(option: z.core.$ZodObject): string[] {
  const { shape } = option._zod.def
  return Object.keys(shape).filter((key) => shape[key]?._zod.optin === undefined)
}
