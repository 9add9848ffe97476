/** Collects what is wrong while a site is being read, so that it can be said all at once. */
import type { KeyPath, Problem } from './problem.ts'
import { locate, type Node, type Place, placeAt } from './tree.ts'

export interface Hint {
  readonly expected?: string
  readonly nearest?: string
  /** Point at the key instead of the value. */
  readonly key?: boolean
}

/** Nobody reads on from here, and a hostile file must not fill the memory with complaints. */
const MOST = 500

export class Report {
  readonly problems: Problem[] = []
  readonly warnings: Problem[] = []

  problem(place: Place, path: KeyPath, message: string, hint: Hint = {}): void {
    if (this.problems.length < MOST) this.problems.push(describe(place, path, message, hint))
  }

  warning(place: Place, path: KeyPath, message: string, hint: Hint = {}): void {
    if (this.warnings.length < MOST) this.warnings.push(describe(place, path, message, hint))
  }
}

/** A report about one tree, where a key path is enough to know the place. */
export class TreeReport {
  readonly #report: Report
  readonly #root: Node
  /** Paths that had a problem already, and left the settings for it. */
  readonly #broken: readonly KeyPath[]

  constructor(report: Report, root: Node, broken: readonly KeyPath[]) {
    this.#report = report
    this.#root = root
    this.#broken = broken
  }

  problem(path: KeyPath, message: string, hint: Hint = {}): void {
    this.#report.problem(this.place(path, hint), path, message, hint)
  }

  warning(path: KeyPath, message: string, hint: Hint = {}): void {
    this.#report.warning(this.place(path, hint), path, message, hint)
  }

  place(path: KeyPath, hint: Hint = {}): Place {
    return placeAt(this.#root, path, hint.key === true ? 'key' : 'value')
  }

  /** Whether something at or below `path` is missing from the settings because it was wrong. */
  isBroken(path: KeyPath): boolean {
    return this.#broken.some((broken) => path.every((key, index) => broken[index] === key))
  }
}

function describe(place: Place, path: KeyPath, message: string, hint: Hint): Problem {
  return {
    file: place.source.file,
    ...locate(place),
    path,
    message,
    expected: hint.expected ?? '',
    nearest: hint.nearest ?? '',
  }
}
