/** uWSGI's command line, as getopt_long reads it. */
import { nearest } from '../../site/nearest.ts'
import { LETTERS, OPTIONS } from './option-names.ts'

export interface Argument {
  readonly name: string
  readonly value: string
}

/** A command line that cannot be understood. */
export class ArgumentError extends Error {}

const FILES: readonly (readonly [RegExp, string])[] = [
  [/\.ini(:.+)?$/, 'ini'],
  [/\.ya?ml(:.+)?$/, 'yaml'],
  [/\.js(on)?(:.+)?$/, 'json'],
  [/\.(py|wsgi)$/, 'wsgi-file'],
  [/\.(psgi|pl)$/, 'psgi'],
  [/\.(ru|rb)$/, 'rack'],
]

/** Throws ArgumentError. */
export function parseArguments(args: readonly string[]): Argument[] {
  const found: Argument[] = []
  const rest = [...args]
  const valueFor = (name: string): string => {
    const value = rest.shift()
    if (value === undefined) throw new ArgumentError(`--${name} needs a value`)
    return value
  }
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      for (const plain of rest.splice(0)) found.push(positional(plain))
    } else if (word.startsWith('--')) found.push(long(word.slice(2), valueFor))
    else if (word.startsWith('-') && word !== '-') found.push(...letters(word.slice(1), valueFor))
    else found.push(positional(word))
  }
  return found
}

function long(word: string, valueFor: (name: string) => string): Argument {
  const equals = word.indexOf('=')
  const name = complete(equals < 0 ? word : word.slice(0, equals))
  const arity = OPTIONS.get(name) ?? 'none'
  if (equals >= 0) {
    if (arity === 'none') throw new ArgumentError(`--${name} takes no value`)
    return { name, value: word.slice(equals + 1) }
  }
  return { name, value: arity === 'required' ? valueFor(name) : '' }
}

/** The beginning of a name is enough where it is that of only one. */
function complete(name: string): string {
  if (OPTIONS.has(name)) return name
  const longer = [...OPTIONS.keys()].filter((each) => each.startsWith(name))
  if (longer.length === 1) return longer[0]!
  const meant = nearest(name, OPTIONS.keys())
  const hint = meant === '' ? '' : `; did you mean --${meant}?`
  throw new ArgumentError(
    longer.length > 1
      ? `--${name} may be ${longer
          .slice(0, 4)
          .map((each) => `--${each}`)
          .join(', ')}${longer.length > 4 ? ', …' : ''}`
      : `uWSGI has no option --${name}${hint}`,
  )
}

/** `-Mp4`: switches together, and a value in the same word or the next. */
function letters(word: string, valueFor: (name: string) => string): Argument[] {
  const found: Argument[] = []
  for (let at = 0; at < word.length; at++) {
    const letter = word[at]!
    const name = LETTERS[letter]
    if (name === undefined) throw new ArgumentError(`uWSGI has no option -${letter}`)
    const arity = OPTIONS.get(name)
    const rest = word.slice(at + 1)
    if (arity === 'none') found.push({ name, value: '' })
    else {
      found.push({ name, value: rest !== '' ? rest : arity === 'required' ? valueFor(name) : '' })
      break
    }
  }
  return found
}

function positional(word: string): Argument {
  const known = FILES.find(([pattern]) => pattern.test(word))
  if (known === undefined) {
    throw new ArgumentError(`${word} is neither an option nor a file that uWSGI knows by its name`)
  }
  return { name: known[1], value: word }
}
