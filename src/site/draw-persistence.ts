/** `pools.NAME.persistence` → the Plan's. */
import { type Drawing, existingFile } from './drawing.ts'
import { nearest } from './nearest.ts'
import type { PersistencePlan } from './persistence-plan.ts'
import { type KeyPath, quote } from './problem.ts'
import {
  PERSISTENCE_NAMES,
  type PersistenceOptions,
  type PersistenceSettings,
  persistenceDefaults,
} from './settings/persistence.ts'
import { nodeAt } from './tree.ts'

type Kind = PersistencePlan['by']

/** Options that mean something for one kind only; the rest are for all. */
const KINDS_OF: Readonly<Record<string, readonly Kind[]>> = {
  timeout: ['source', 'header', 'learned'],
  entries: ['source', 'header', 'learned'],
  mask: ['source'],
  'mask-ipv6': ['source'],
  header: ['header'],
  cookie: ['learned'],
  query: ['learned'],
  'from-requests': ['learned'],
  ...Object.fromEntries(
    [
      'mode',
      'name',
      'domain',
      'path',
      'secure',
      'http-only',
      'same-site',
      'max-age',
      'idle',
      'life',
      'private',
      'pass',
      'secret',
    ].map((key): [string, readonly Kind[]] => [key, ['cookie']]),
  ),
}

/** Cookies of our own alone have these. */
const INSERTED = [
  'domain',
  'path',
  'secure',
  'http-only',
  'same-site',
  'max-age',
  'idle',
  'life',
  'private',
  'pass',
]

/** Undefined for none. */
export function drawPersistence(
  drawing: Drawing,
  path: KeyPath,
  settings: PersistenceSettings,
): PersistencePlan | undefined {
  if (settings === undefined) return undefined
  const { report } = drawing
  const isName = typeof settings === 'string'
  const options = isName ? persistenceDefaults(settings) : settings
  const by = PERSISTENCE_NAMES[options.by]
  if (by === undefined) {
    const names = Object.keys(PERSISTENCE_NAMES)
    const meant = nearest(options.by, names)
    const hint = meant === '' ? { expected: names.join(', ') } : { nearest: meant }
    report.problem(
      isName ? path : [...path, 'by'],
      `no such persistence: ${quote(options.by)}`,
      hint,
    )
    return undefined
  }
  checkOptions(drawing, path, by, options)
  return plan(drawing, path, by, options)
}

/** What is written and would do nothing is a mistake. */
function checkOptions(
  drawing: Drawing,
  path: KeyPath,
  by: Kind,
  options: PersistenceOptions,
): void {
  const isWritten = (key: string): boolean => nodeAt(drawing.root, [...path, key]) !== undefined
  for (const [key, kinds] of Object.entries(KINDS_OF)) {
    if (kinds.includes(by) || !isWritten(key)) continue
    drawing.report.problem([...path, key], `it means nothing with ${quote(by)}`, {
      expected: `by: ${kinds.join(' or ')}`,
      key: true,
    })
  }
  if (by !== 'cookie' || options.mode === 'insert') return
  for (const key of INSERTED) {
    if (!isWritten(key)) continue
    drawing.report.problem([...path, key], `a cookie of the server’s has its own`, {
      expected: 'mode: insert',
      key: true,
    })
  }
}

function plan(
  drawing: Drawing,
  path: KeyPath,
  by: Kind,
  options: PersistenceOptions,
): PersistencePlan {
  const need = (key: 'header' | 'cookie' | 'name', why: string): string => {
    if (options[key] === '') drawing.report.problem(path, why, { expected: `${key}: NAME` })
    return options[key]
  }
  const common = { whenDown: options['when-down'] }
  const tabled = { ...common, timeoutS: seconds(options.timeout), entries: options.entries }
  switch (by) {
    case 'source':
      return { by, ...tabled, mask: options.mask, maskIpv6: options['mask-ipv6'] }
    case 'header':
      return { by, ...tabled, header: need('header', 'which header?').toLowerCase() }
    case 'learned': {
      const cookie = need('cookie', 'in which cookie does the application name its sessions?')
      const fromRequests = options['from-requests']
      return { by, ...tabled, cookie, query: options.query, fromRequests }
    }
    case 'cookie':
      return {
        by,
        ...common,
        ...cookieOptions(options),
        name:
          options.mode === 'insert'
            ? options.name || 'PORTICO'
            : need('name', `which cookie of the server’s is to carry ours?`),
        secret:
          options.secret === '' ? '' : existingFile(drawing, [...path, 'secret'], options.secret),
      }
  }
}

function cookieOptions(options: PersistenceOptions) {
  const sameSite = options['same-site']
  return {
    mode: options.mode,
    domain: options.domain,
    path: options.path,
    secure: options.secure,
    httpOnly: options['http-only'],
    sameSite: sameSite === 'off' ? ('' as const) : sameSite,
    maxAgeS: seconds(options['max-age']),
    idleS: seconds(options.idle),
    lifeS: seconds(options.life),
    private: options.private,
    pass: options.pass,
  }
}

/** Whole ones, and none of 0 that was not. */
function seconds(ms: number): number {
  return Math.ceil(ms / 1000)
}
