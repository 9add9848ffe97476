/** A site in the making: what each option has to say, kept until the applications are known. */
import { resolve } from 'node:path'
import type { Hint, Report } from '../../site/report.ts'
import type { Place } from '../../site/tree.ts'
import { TreeBuilder, type Value } from '../tree-builder.ts'
import { ENDS } from './logic.ts'
import type { Option } from './option.ts'
import { OPTIONS } from './option-names.ts'

interface AppSetting {
  readonly path: readonly string[]
  readonly value: Value
  readonly option: Option
}

export class Draft {
  readonly tree: TreeBuilder
  /** What every application gets. */
  readonly forApps: AppSetting[] = []
  /** Options that have no place in the site, and why. */
  readonly left: Map<Option, string> = new Map()
  /** Restart when the code changes. */
  watch = false
  readonly #report: Report
  readonly #options: readonly Option[]
  /** Where uWSGI is started; it goes to `chdir` before it opens sockets and loads applications. */
  readonly cwd: string

  constructor(options: readonly Option[], cwd: string, place: Place, report: Report) {
    this.#options = options
    this.cwd = cwd
    this.#report = report
    this.tree = new TreeBuilder(place)
  }

  /** The last of these options, which is the one that counts. */
  last(...names: readonly string[]): Option | undefined {
    return this.#options.findLast(({ name }) => names.includes(name))
  }

  all(...names: readonly string[]): Option[] {
    return this.#options.filter(({ name }) => names.includes(name))
  }

  /** What is no option of uWSGI's: names of the file's, and what the application reads in `uwsgi.opt`. */
  ownNames(): Record<string, string> {
    const own = this.#options.filter(({ name }) => !OPTIONS.has(name) && !ENDS.has(name))
    return Object.fromEntries(own.map(({ name, value }) => [name, value]))
  }

  /** Whether the last of these switches is on. */
  isOn(...names: readonly string[]): boolean {
    const option = this.last(...names)
    return option !== undefined && isOn(option)
  }

  /** The number that counts; 0 without one. */
  count(...names: readonly string[]): number {
    const option = this.last(...names)
    return option === undefined ? 0 : this.number(option)
  }

  set(path: readonly string[], value: Value, { place }: Option): void {
    this.tree.set(path, value, place)
  }

  add(path: readonly string[], value: Value, { place }: Option): void {
    this.tree.add(path, value, place)
  }

  setApp(path: readonly string[], value: Value, option: Option): void {
    this.forApps.push({ path, value, option })
  }

  /** A whole number, as atoi reads it. */
  number(option: Option): number {
    const [, digits] = /^\s*\+?(\d+)/.exec(option.value) ?? []
    if (digits !== undefined) return Math.min(Number(digits), Number.MAX_SAFE_INTEGER)
    // An option with an optional number, without one.
    if (option.value === '' || option.value === 'true') return 1
    this.problem(option, `${JSON.stringify(option.value)} is no number`, {
      expected: 'a whole number',
    })
    return 0
  }

  /** The application's folder: `chdir`, else where uWSGI is started. */
  get folder(): string {
    return resolve(this.cwd, this.last('chdir', 'chdir2', 'force-cwd')?.value ?? '.')
  }

  /** Relative to where uWSGI is once it has gone to `chdir`. */
  inFolder(path: string): string {
    return resolve(this.folder, path)
  }

  /** Relative to where uWSGI is started. */
  atStart(path: string): string {
    return resolve(this.cwd, path)
  }

  /** An option that is mapped in other forms than this one. */
  leave(option: Option, reason: string): void {
    this.left.set(option, reason)
  }

  problem(option: Option, message: string, hint: Hint = {}): void {
    this.#report.problem(option.place, [option.name], message, hint)
  }
}

export function isOn({ value }: Option): boolean {
  return !/^(false|off|no|0)$/i.test(value)
}
