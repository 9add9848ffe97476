/**
 * The kinds of values that settings have, each with its rule, its name for people and its form for
 * editors. A setting that can come from `${NAME}` also accepts its text form.
 *
 * Each is declared in settings.ts as `key: kind(default, sentence) as Kind`: the `as` is what
 * `isolatedDeclarations` needs to know a type without running the inference.
 */
import { z } from 'zod'
import {
  DURATION_PATTERN,
  parseDuration,
  parseRate,
  parseSize,
  RATE_PATTERN,
  type Rate,
  SIZE_PATTERN,
  showDuration,
  showSize,
} from './units.ts'

// A site is read once in a process: compiling the schema costs 3 ms more than the compiled one saves.
z.config({ jitless: true })

/** A setting with a default. */
type Preset<Out, In> = z.ZodPrefault<z.ZodType<Out, In>>
/** A setting that may be missing. */
type Optional<Out, In> = z.ZodOptional<z.ZodType<Out, In>>

/** Milliseconds. */
export type Duration = Preset<number, string | number>
/** Bytes. */
export type Size = Preset<number, string | number>
export type OptionalSize = Optional<number, string | number>
export type OptionalDuration = Optional<number, string | number>
export type OptionalRate = Optional<Rate, string | number>
export type RequiredDuration = z.ZodType<number, string | number>
export type Count = Preset<number, string | number>
export type AutoCount = Preset<number | 'auto', string | number>
export type Flag = Preset<boolean, boolean | string>
export type Text = Preset<string, string>
export type RequiredText = z.ZodType<string, string>
export type Texts = Preset<string[], string | string[]>
export type Choice<T extends string> = z.ZodPrefault<z.ZodType<T, T>>
export type TextMap = Preset<
  Record<string, string | number | boolean>,
  Record<string, string | number | boolean>
>

/** A mapping of settings; a key that it does not have is an error. */
export type Section<Shape extends z.ZodRawShape> = z.ZodPrefault<z.ZodObject<Shape, z.core.$strict>>
export type Mapping<Shape extends z.ZodRawShape> = z.ZodObject<Shape, z.core.$strict>

/** Node's timers count in 31 bits of milliseconds. */
const LONGEST_TIMER = 24 * 86_400_000

const RATE_FORM = 'a rate such as 100/s, 5/m or 1/10s'

/** Text that stands for a value until the environment is known. */
const REFERENCE = '\\$\\{.*\\}'

/** From text or number to a value, or undefined with the reason as the zod issue. */
function scalar<Out>(
  title: string,
  expected: string,
  read: (input: string | number) => Out | undefined,
  form: object,
): z.ZodType<Out, string | number> {
  return z
    .union([z.string(), z.number()], { error: expected })
    .transform((input, context): Out => {
      const value = read(input)
      if (value !== undefined) return value
      context.issues.push({ code: 'custom', message: expected, input })
      return z.NEVER
    })
    .register(z.globalRegistry, { title, ...form })
}

function durationType(from: number, to: number): z.ZodType<number, string | number> {
  const bounds = from === 0 ? `0 or up to ${showDuration(to)}` : `up to ${showDuration(to)}`
  const expected = `a duration with its unit, such as 500ms, 30s, 5m or 1h, ${bounds}`
  const read = (input: string | number): number | undefined => {
    const ms = parseDuration(String(input))
    return ms !== undefined && ms >= from && ms <= to ? ms : undefined
  }
  const form = { pattern: `${DURATION_PATTERN}|${REFERENCE}`, maximum: 0 }
  return scalar('duration', expected, read, form)
}

/** Never 0: what waits without a bound is never right for these. */
export function duration(preset: string, sentence: string): Duration {
  return durationType(1, LONGEST_TIMER)
    .prefault(preset)
    .register(z.globalRegistry, { description: sentence })
}

/** The sentence says what 0 means. */
export function durationOrZero(
  preset: string,
  sentence: string,
  longest: number = LONGEST_TIMER,
): Duration {
  return durationType(0, longest)
    .prefault(preset)
    .register(z.globalRegistry, { description: sentence })
}

/** One that may be missing; the sentence says what then, and what 0 means. */
export function optionalDuration(sentence: string): OptionalDuration {
  return durationType(0, LONGEST_TIMER)
    .optional()
    .register(z.globalRegistry, { description: sentence })
}

/** For a setting that has other forms as well. */
export function requiredDuration(): RequiredDuration {
  return durationType(0, LONGEST_TIMER)
}

/** How often. */
export function optionalRate(sentence: string): OptionalRate {
  const read = (input: string | number): Rate | undefined => parseRate(String(input))
  const form = { pattern: `${RATE_PATTERN}|${REFERENCE}`, maximum: 0 }
  return scalar('rate', RATE_FORM, read, form)
    .optional()
    .register(z.globalRegistry, { description: sentence })
}

function sizeType(smallest: number, largest: number): z.ZodType<number, string | number> {
  const bounds = [
    smallest > 0 ? `from ${showSize(smallest)}` : '',
    largest < Number.MAX_SAFE_INTEGER ? `up to ${showSize(largest)}` : '',
  ]
  const expected = [
    'a size with its unit, such as 16KB, 10MB or 1GB',
    bounds.filter(Boolean).join(' '),
  ]
    .filter(Boolean)
    .join(', ')
  const read = (input: string | number): number | undefined => {
    const bytes = parseSize(String(input))
    return bytes !== undefined && bytes >= smallest && bytes <= largest ? bytes : undefined
  }
  return scalar('size', expected, read, { pattern: `${SIZE_PATTERN}|${REFERENCE}`, maximum: 0 })
}

export function size(
  preset: string,
  sentence: string,
  smallest = 0,
  largest: number = Number.MAX_SAFE_INTEGER,
): Size {
  return sizeType(smallest, largest)
    .prefault(preset)
    .register(z.globalRegistry, { description: sentence })
}

export function optionalSize(sentence: string): OptionalSize {
  return sizeType(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .register(z.globalRegistry, { description: sentence })
}

function countType(from: number, to: number): z.ZodType<number, string | number> {
  const read = (input: string | number): number | undefined => {
    const value = typeof input === 'number' || /^\d+$/.test(input) ? Number(input) : Number.NaN
    return Number.isInteger(value) && value >= from && value <= to ? value : undefined
  }
  const form = { minimum: from, maximum: to, pattern: `^\\d+$|${REFERENCE}` }
  return scalar('number', `a whole number from ${from} to ${to}`, read, form)
}

export function count(preset: number, from: number, to: number, sentence: string): Count {
  return countType(from, to).prefault(preset).register(z.globalRegistry, { description: sentence })
}

/** One of a few numbers. */
export function numberOf(preset: number, values: readonly number[], sentence: string): Count {
  const read = (input: string | number): number | undefined =>
    values.find((value) => String(value) === String(input))
  return scalar('number', `one of ${values.join(', ')}`, read, {
    enum: values.flatMap((value) => [value, String(value)]),
  })
    .prefault(preset)
    .register(z.globalRegistry, { description: sentence })
}

export function autoCount(to: number, sentence: string): AutoCount {
  const read = (input: string | number): number | 'auto' | undefined => {
    if (input === 'auto') return 'auto'
    const value = typeof input === 'number' || /^\d+$/.test(input) ? Number(input) : Number.NaN
    return Number.isInteger(value) && value >= 1 && value <= to ? value : undefined
  }
  const form = { minimum: 1, maximum: to, pattern: `^auto$|^\\d+$|${REFERENCE}` }
  return scalar('number or auto', `auto, or a whole number from 1 to ${to}`, read, form)
    .prefault('auto')
    .register(z.globalRegistry, { description: sentence })
}

/** What YAML 1.1 took for true or false, and YAML 1.2 takes for a word. */
const OLD_FLAGS: Readonly<Record<string, boolean>> = {
  on: true,
  off: false,
  yes: true,
  no: false,
  y: true,
  n: false,
}

function flagMeant(text: string): string {
  const meant = OLD_FLAGS[text.toLowerCase()]
  return meant === undefined ? 'true or false' : `${meant}: ${text} is a mere word in YAML 1.2`
}

export function flag(preset: boolean, sentence: string): Flag {
  return z
    .union([z.boolean(), z.string()], { error: 'true or false' })
    .transform((input, context): boolean => {
      if (typeof input === 'boolean') return input
      if (input === 'true' || input === 'false') return input === 'true'
      context.issues.push({ code: 'custom', message: flagMeant(input), input })
      return z.NEVER
    })
    .register(z.globalRegistry, { title: 'true or false', pattern: `^true$|^false$|${REFERENCE}` })
    .prefault(preset)
    .register(z.globalRegistry, { description: sentence })
}

/** A line of text; no control characters, which no path, name or address may hold. */
function line(expected: string, pattern?: RegExp): z.ZodType<string, string> {
  const text = z
    .string({ error: expected })
    .refine((value) => !/[\x00-\x1f\x7f]/.test(value), { error: `${expected}, on one line` })
  if (pattern === undefined) return text.register(z.globalRegistry, { title: 'text' })
  return text.regex(pattern, { error: expected }).register(z.globalRegistry, { title: 'text' })
}

export function text(preset: string, sentence: string, expected = 'text', pattern?: RegExp): Text {
  return line(expected, pattern)
    .prefault(preset)
    .register(z.globalRegistry, { description: sentence })
}

export function requiredText(
  sentence: string,
  expected: string,
  pattern: RegExp = /./,
): RequiredText {
  return line(expected, pattern).register(z.globalRegistry, {
    title: 'text',
    description: sentence,
  })
}

export function texts(
  preset: readonly string[],
  sentence: string,
  expected: string,
  pattern: RegExp = /./,
): Texts {
  const one = line(expected, pattern)
  return z
    .union([one, z.array(one)], { error: `${expected}, or a list of them` })
    .transform((input) => (typeof input === 'string' ? [input] : input))
    .register(z.globalRegistry, { title: 'text or list' })
    .prefault([...preset])
    .register(z.globalRegistry, { description: sentence })
}

export function choice<const T extends string>(
  preset: NoInfer<T>,
  values: readonly T[],
  sentence: string,
): Choice<T> {
  return z
    .enum(values, { error: `one of ${values.join(', ')}` })
    .register(z.globalRegistry, { title: 'one of' })
    .prefault(preset)
    .register(z.globalRegistry, { description: sentence })
}

export function textMap(sentence: string, key: RegExp, expectedKey: string): TextMap {
  const value = z.union([z.string(), z.number(), z.boolean()], { error: 'text' })
  return z
    .record(z.string().regex(key, { error: expectedKey }), value, {
      error: 'a mapping of names to text',
    })
    .register(z.globalRegistry, { title: 'names to text' })
    .prefault({})
    .register(z.globalRegistry, { description: sentence })
}

export function mapping<Shape extends z.ZodRawShape>(shape: Shape): Mapping<Shape> {
  return z.strictObject(shape, { error: `a mapping with ${someOf(Object.keys(shape))}` })
}

/** The first of them, for an error that has to show what goes there. */
function someOf(keys: readonly string[]): string {
  return keys.length > 4 ? `${keys.slice(0, 3).join(', ')} and others` : keys.join(', ')
}

export function section<Shape extends z.ZodRawShape>(
  shape: Shape,
  sentence: string,
): Section<Shape> {
  return mapping(shape)
    .prefault({} as z.input<Mapping<Shape>>)
    .register(z.globalRegistry, { description: sentence })
}
