/** `headers` and `request-headers` → the Plan. */
import { template } from '../filters/template.ts'
import { isFieldValue } from '../wire/fields.ts'
import { type Drawing, textAsWritten } from './drawing.ts'
import type { EditsPlan, HeadersPlan } from './filters-plan.ts'
import { type KeyPath, quote } from './problem.ts'
import type { EditSettings } from './settings/headers.ts'
import { nodeAt } from './tree.ts'

/** Framing and the connection are the server's own (RFC 9110 §7.6.1, RFC 9112 §6). */
const HOP_BY_HOP: readonly string[] = [
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

/** What the server says itself, and what says it otherwise. */
const SAID: Readonly<Record<string, string>> = {
  date: 'nothing: every answer says when it was made',
}

const SAID_OF_REQUESTS: Readonly<Record<string, string>> = {
  expect: '',
  via: '',
  'remote-user': 'auth, which knows who it is',
  'x-request-id': 'the top-level key trace',
  traceparent: 'the top-level key trace',
  forwarded: 'nothing: it is said of every request',
  'x-real-ip': 'nothing: it is said of every request',
}

type Texts = Readonly<Record<string, string | number | boolean>>

/** Where the mapping of names is, and what is in it. */
interface Edits {
  readonly path: KeyPath
  readonly set: Texts
  readonly add: Texts
  readonly default: Texts
  readonly remove: readonly string[]
  readonly always: boolean
}

export function drawHeaders(drawing: Drawing, path: KeyPath, settings: EditSettings): HeadersPlan {
  const edits = editsOf(path, settings)
  return { ...draw(drawing, edits, SAID, ['remote_user']), always: edits.always }
}

export function drawRequestHeaders(
  drawing: Drawing,
  path: KeyPath,
  settings: EditSettings,
): EditsPlan {
  return draw(drawing, editsOf(path, settings), SAID_OF_REQUESTS, [])
}

/** Whether it is a mapping of settings: that has all of them, by their defaults. */
export function isLong(settings: EditSettings): settings is Exclude<EditSettings, Texts> {
  return typeof settings.set === 'object' && Array.isArray(settings.remove)
}

function editsOf(path: KeyPath, settings: EditSettings): Edits {
  const nothing = { add: {}, default: {}, remove: [], always: true }
  if (!isLong(settings)) return { ...nothing, path, set: settings as Texts }
  const { set, add, remove } = settings
  const always = 'always' in settings ? settings.always : true
  return { path, set, add, default: settings.default, remove, always }
}

function draw(
  drawing: Drawing,
  edits: Edits,
  said: Readonly<Record<string, string>>,
  unknown: readonly string[],
): EditsPlan {
  const { root, report } = drawing
  const judge = (path: KeyPath, name: string, key: boolean): void => {
    const lower = name.toLowerCase()
    const expected = Object.hasOwn(said, lower) ? said[lower] : undefined
    const hops = HOP_BY_HOP.includes(lower)
    if (!hops && expected === undefined && !lower.startsWith('x-forwarded-')) return
    if (lower.startsWith('x-forwarded-') && said === SAID) return
    report.problem(path, `${quote(name)} is said by the server`, {
      key,
      ...(hops ? {} : { expected: expected ?? 'nothing: it is said of every request' }),
    })
  }
  const removed = [...edits.remove]
  const values = (kind: 'set' | 'add' | 'default'): Record<string, string> => {
    const here =
      nodeAt(root, [...edits.path, kind])?.kind === 'map' ? [...edits.path, kind] : edits.path
    const found: Record<string, string> = {}
    for (const [name, text] of Object.entries(textAsWritten(drawing, here, edits[kind]))) {
      const at = [...here, name]
      judge(at, name, true)
      if (!isFieldValue(Buffer.from(text).toString('latin1'))) {
        report.problem(at, 'a header field is one line, without control characters')
      }
      try {
        template(text, unknown)
      } catch (error) {
        report.problem(at, error instanceof Error ? error.message : String(error))
      }
      if (text !== '') found[name] = text
      else if (kind === 'set') removed.push(name)
      else report.problem(at, 'a field without a value', { expected: 'some text' })
    }
    return found
  }
  for (const [index, name] of edits.remove.entries()) {
    const here = [...edits.path, 'remove']
    const at = nodeAt(root, here)?.kind === 'list' ? [...here, index] : here
    judge(at, name, false)
    if (name.toLowerCase() === 'host') report.problem(at, 'every request has a Host')
    if (name.toLowerCase() === 'x-request-id') {
      const expected = 'trace: { answer: false }, at the top level'
      report.problem(at, 'it is added at the very end', { expected })
    }
  }
  return { set: values('set'), add: values('add'), default: values('default'), remove: removed }
}
