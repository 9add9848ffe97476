/** A site in the making, from Gunicorn's settings. */
import { resolve } from 'node:path'
import type { Hint, Report } from '../../site/report.ts'
import type { Place } from '../../site/tree.ts'
import { TreeBuilder, type Value } from '../tree-builder.ts'
import { type PythonValue, textOf, textsOf } from './python-values.ts'
import type { Given } from './setting.ts'

/** The name of the one application. */
export const APP = 'app'

export class GunicornDraft {
  readonly tree: TreeBuilder
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly #given: ReadonlyMap<string, Given>
  readonly #report: Report
  /** Settings that are left out in the form that they have, and why. */
  readonly left: Map<string, string> = new Map()
  /** Restart when the code changes. */
  watch = false

  constructor(
    given: ReadonlyMap<string, Given>,
    cwd: string,
    environment: Readonly<Record<string, string | undefined>>,
    place: Place,
    report: Report,
  ) {
    this.#given = given
    this.cwd = cwd
    this.environment = environment
    this.#report = report
    this.tree = new TreeBuilder(place)
  }

  get(name: string): Given | undefined {
    return this.#given.get(name)
  }

  /** '' where nobody has set it. */
  text(name: string): string {
    const given = this.#given.get(name)
    return given === undefined ? '' : (textOf(given.value) ?? '')
  }

  /** A whole number; `preset` where nobody has set it. */
  count(name: string, preset: number): number {
    const given = this.#given.get(name)
    return given === undefined ? preset : this.number(given)
  }

  isOn(name: string): boolean {
    const value = this.#given.get(name)?.value
    return value !== undefined && truth(value)
  }

  number(given: Given): number {
    const text = textOf(given.value) ?? ''
    if (/^\s*\d{1,15}\s*$/.test(text)) return Number(text)
    this.problem(given, 'not a whole number', { expected: 'a whole number' })
    return 0
  }

  texts(given: Given): string[] {
    const found = textsOf(given.value)
    if (found === undefined)
      this.problem(given, 'not text', { expected: 'text, or a list of them' })
    return found ?? []
  }

  /** Seconds, which need not be whole. */
  seconds(given: Given): number {
    const value = Number(textOf(given.value) ?? Number.NaN)
    if (value >= 0 && value < 1e9) return value
    this.problem(given, 'not a number of seconds', { expected: 'a number of seconds' })
    return 0
  }

  /** The application's folder. */
  get folder(): string {
    return resolve(this.cwd, this.text('chdir') || '.')
  }

  inFolder(path: string): string {
    return resolve(this.folder, path)
  }

  set(path: readonly string[], value: Value, given: Given): void {
    this.tree.set(path, value, given.place)
  }

  setApp(path: readonly string[], value: Value, given: Given): void {
    this.tree.set(['apps', APP, ...path], value, given.place)
  }

  problem(given: Given, message: string, hint: Hint = {}): void {
    this.#report.problem(given.place, [given.name], message, hint)
  }
}

export function truth(value: PythonValue): boolean {
  if (typeof value === 'string') return /^(true|1)$/i.test(value)
  return value !== null && value !== false && value !== 0
}
