/** What is wrong with a site file: said in one form, all at once, in the order of the file. */
import { relative } from 'node:path'

export type KeyPath = readonly (string | number)[]

export interface Problem {
  /** Absolute path; `command line` for a flag; '' where no file is to blame. */
  readonly file: string
  /** From 1; 0 where unknown, as in a TypeScript site file. */
  readonly line: number
  readonly column: number
  readonly path: KeyPath
  readonly message: string
  /** What would have been right; '' where the message says it. */
  readonly expected: string
  /** The valid name that was probably meant, or ''. */
  readonly nearest: string
  /** The line of the file, for the caret on a terminal; '' where unknown. */
  readonly excerpt: string
}

/** Thrown once for a site, with everything that is wrong with it. */
export class SiteError extends Error {
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    const sorted = sortProblems(problems)
    super(formatProblems(sorted))
    this.name = 'SiteError'
    this.problems = sorted
  }
}

/** By file, line and column; what has no place comes last. Each problem once. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>()
  const place = (line: number): number => (line === 0 ? Number.MAX_SAFE_INTEGER : line)
  return problems
    .filter((problem) => {
      const key = JSON.stringify([problem.file, problem.line, problem.column, showProblem(problem)])
      return !seen.has(key) && seen.add(key)
    })
    .sort(
      (a, b) =>
        (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) ||
        place(a.line) - place(b.line) ||
        a.column - b.column,
    )
}

/** `hosts."www.example.com"."/api/".proxy`; list items as `listen[1]`. */
export function showPath(path: KeyPath): string {
  let text = ''
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`
    else text += (text === '' ? '' : '.') + (/^[A-Za-z_][\w-]*$/.test(key) ? key : quote(key))
  }
  return text
}

/** In double quotes, on one line, whatever it holds. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
}

/** One line: `site.yaml:12:5: hosts."*"."/".proxi: unknown key "proxi"; did you mean "proxy"?` */
export function showProblem(problem: Problem): string {
  const parts = [showPlace(problem), showPath(problem.path)].filter((part) => part !== '')
  const hint =
    problem.nearest !== ''
      ? `; did you mean ${quote(problem.nearest)}?`
      : problem.expected !== ''
        ? `; expected ${problem.expected}`
        : ''
  return `${[...parts, problem.message].join(': ')}${hint}`
}

function showPlace({ file, line, column }: Problem): string {
  const near = file.startsWith('/') ? relative(process.cwd(), file) : file
  const name = near === '' || near.startsWith('..') ? file : near
  return line === 0 ? name : `${name}:${line}:${column}`
}

/** Every problem on its line; with `excerpts`, the line of the file and a caret below each. */
export function formatProblems(problems: readonly Problem[], excerpts = false): string {
  return problems
    .map((problem) => showProblem(problem) + (excerpts ? showExcerpt(problem) : ''))
    .join('\n')
}

/** Widest excerpt, in characters: a minified line must not flood the terminal. */
const WIDEST = 120

function showExcerpt({ excerpt, line, column }: Problem): string {
  if (line === 0 || excerpt === '') return ''
  const start = Math.max(0, column - 1 - WIDEST / 2)
  // A tab would move the caret away from what it points at, a control character the whole terminal.
  const shown = excerpt.slice(start, start + WIDEST).replace(/[\x00-\x1f\x7f-\x9f]/g, ' ')
  return `\n    ${shown}\n    ${' '.repeat(column - 1 - start)}^`
}
