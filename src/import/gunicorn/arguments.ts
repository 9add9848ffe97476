/** Gunicorn's command line, as argparse reads it. */
import { nearest } from '../../site/nearest.ts'
import type { Setting } from './setting.ts'
import { SETTINGS } from './settings.ts'

/** A command line that cannot be understood. */
export class ArgumentError extends Error {}

export interface Arguments {
  /** By the name of the setting; what may come again is a list. */
  readonly settings: ReadonlyMap<string, string | boolean | readonly string[]>
  /** `module:callable`, or ''. */
  readonly app: string
}

const FLAGS: ReadonlyMap<string, Setting> = new Map(
  SETTINGS.flatMap((setting) =>
    setting.flags
      .split(' ')
      .filter((flag) => flag !== '')
      .map((flag): [string, Setting] => [flag, setting]),
  ),
)

/** Throws ArgumentError. */
export function parseArguments(args: readonly string[]): Arguments {
  const settings = new Map<string, string | boolean | readonly string[]>()
  const plain: string[] = []
  const rest = [...args]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') plain.push(...rest.splice(0))
    else if (!word.startsWith('-') || word === '-') plain.push(word)
    else {
      const { flag, setting, inline } = find(word)
      if (setting.kind === 'flag') {
        if (inline !== undefined && !flag.startsWith('--')) rest.unshift(`-${inline}`)
        else if (inline !== undefined) throw new ArgumentError(`${flag} takes no value`)
        settings.set(setting.name, true)
        continue
      }
      const value = inline ?? rest.shift()
      if (value === undefined) throw new ArgumentError(`${flag} needs a value`)
      if (setting.kind === 'list') {
        const before = settings.get(setting.name)
        settings.set(setting.name, [...(Array.isArray(before) ? before : []), value])
      } else settings.set(setting.name, value)
    }
  }
  if (plain.length > 1) {
    throw new ArgumentError(`${plain[1]}: one application is served; ${plain[0]} is named already`)
  }
  return { settings, app: plain[0] ?? '' }
}

/** `--bind=x`, `--bind x`, `-bx`, `-b x`; the beginning of a long name is enough where it is one's alone. */
function find(word: string): { flag: string; setting: Setting; inline: string | undefined } {
  if (!word.startsWith('--')) {
    const flag = word.slice(0, 2)
    const setting = FLAGS.get(flag)
    if (setting === undefined) throw unknown(flag)
    const inline = word.length > 2 ? word.slice(2).replace(/^=/, '') : undefined
    return { flag, setting, inline }
  }
  const equals = word.indexOf('=')
  const name = equals < 0 ? word : word.slice(0, equals)
  const inline = equals < 0 ? undefined : word.slice(equals + 1)
  const exact = FLAGS.get(name)
  if (exact !== undefined) return { flag: name, setting: exact, inline }
  const longer = [...FLAGS].filter(([flag]) => flag.startsWith(name))
  if (new Set(longer.map(([, setting]) => setting)).size !== 1) throw unknown(name)
  const [flag, setting] = longer[0]!
  return { flag, setting, inline }
}

function unknown(flag: string): ArgumentError {
  const meant = nearest(flag, FLAGS.keys())
  const hint = meant === '' ? '' : `; did you mean ${meant}?`
  return new ArgumentError(`Gunicorn has no option ${flag}${hint}`)
}

/** Words as a shell has them: GUNICORN_CMD_ARGS. Throws ArgumentError. */
export function splitWords(text: string): string[] {
  const words: string[] = []
  const pattern = /\s*((?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+)/gy
  let end = 0
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    end = pattern.lastIndex
    words.push(
      match[1]!.replace(/"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)/g, (_all, double, single, escaped) =>
        double !== undefined ? double.replace(/\\(["\\$`])/g, '$1') : (single ?? escaped),
      ),
    )
  }
  if (text.slice(end).trim() !== '')
    throw new ArgumentError('GUNICORN_CMD_ARGS: a quote is not closed')
  return words
}
