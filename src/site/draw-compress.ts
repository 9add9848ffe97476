/** `compress` and `cors` → the Plan. */
import type { Drawing } from './drawing.ts'
import type { CodingName, CompressPlan, CorsPlan } from './filters-plan.ts'
import { nearest } from './nearest.ts'
import { type KeyPath, quote } from './problem.ts'
import { isLinear } from './regular.ts'
import { type CompressForm, parseCompress } from './settings/compress.ts'
import { type CorsForm, parseCors } from './settings/cors.ts'
import { nodeAt } from './tree.ts'

const CODINGS: readonly string[] = ['zstd', 'br', 'gzip']

/** Undefined: nothing is compressed. */
export function drawCompress(
  { root, report }: Drawing,
  path: KeyPath,
  form: CompressForm,
): CompressPlan | undefined {
  if (form === false || form === 'false' || form === 'off') return undefined
  const names =
    form === true || form === 'true'
      ? undefined
      : typeof form === 'string'
        ? [form]
        : Array.isArray(form)
          ? form
          : undefined
  for (const [index, name] of (names ?? []).entries()) {
    if (CODINGS.includes(name)) continue
    report.problem(
      Array.isArray(form) ? [...path, index] : path,
      `no such coding: ${quote(name)}`,
      {
        nearest: nearest(name, CODINGS),
        expected: 'true, off, gzip, br or zstd',
      },
    )
  }
  const settings =
    names === undefined
      ? typeof form === 'object' && !Array.isArray(form)
        ? form
        : parseCompress({})
      : parseCompress({ codings: names.filter((name) => CODINGS.includes(name)) })
  if (settings.codings.length === 0 && nodeAt(root, [...path, 'codings']) !== undefined) {
    report.problem([...path, 'codings'], 'an empty list', { expected: 'compress: off' })
  }
  const { gzip, br, zstd } = settings
  return {
    codings: [...new Set(settings.codings)] as CodingName[],
    types: settings.types.map((type) => type.toLowerCase()),
    min: settings.min,
    levels: { gzip, br, zstd },
    streams: settings.streams,
  }
}

/** Scheme and host, perhaps with a wildcard before it, perhaps with a port. */
const ORIGIN =
  /^[a-z][a-z0-9+.-]*:\/\/(\*\.)?[a-z0-9._-]+(:\d{1,5})?$|^[a-z]+:\/\/\[[0-9a-f:.]+\](:\d{1,5})?$/

export function drawCors({ root, report }: Drawing, path: KeyPath, form: CorsForm): CorsPlan {
  const plain = typeof form === 'string' || Array.isArray(form)
  const settings = plain ? parseCors(form) : form
  const here = plain ? path : [...path, 'origins']
  const isList = nodeAt(root, here)?.kind === 'list'
  const origins = settings.origins.map((text, index) => {
    const at = isList ? [...here, index] : here
    if (text === '*' || text === 'null') return text
    if (text.startsWith('~')) {
      try {
        new RegExp(text.slice(1))
      } catch (error) {
        const why = error instanceof Error ? error.message : ''
        report.problem(at, `not a regular expression: ${why}`)
        return text
      }
      if (!isLinear(text.slice(1))) {
        const why = 'it looks around, refers back or repeats a lot'
        report.warning(at, `how long this expression may take has no bound: ${why}`)
      }
      return text
    }
    const origin = text.toLowerCase()
    if (!ORIGIN.test(origin)) {
      const expected = 'a scheme and a host without a path: https://app.example.com'
      report.problem(at, `not an origin: ${quote(text)}`, { expected })
    }
    // A browser never names the port that its scheme has anyway.
    return origin.replace(/^(http:.*):80$|^(https:.*):443$/, '$1$2')
  })
  const { credentials } = settings
  if (credentials && origins.includes('*')) {
    report.problem([...path, 'credentials'], 'with "*" every page could act as its visitor', {
      expected: 'the origins that may, by name',
    })
  }
  if (credentials && origins.includes('null')) {
    const what = '"null" is any page in a sandbox: with credentials it could act as its visitor'
    report.warning([...path, 'credentials'], what)
  }
  return {
    origins,
    methods: settings.methods.map((method) => method.toUpperCase()),
    headers: settings.headers.map((name) => name.toLowerCase()),
    expose: settings.expose,
    credentials,
    maxAgeSeconds: Math.floor(settings['max-age'] / 1000),
    privateNetwork: settings['private-network'],
  }
}
