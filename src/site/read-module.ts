/** A site file that is a program: TypeScript or JavaScript with the site as its default export. */
import { statSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Report } from './report.ts'
import { type Node, type Place, type Source, treeOf } from './tree.ts'

/**
 * Runs the file. Node keeps modules for good, so a changed file is imported under a new name; files
 * that it imports itself are read again only after a restart.
 */
export async function readModule(
  file: string,
  base: string,
  report: Report,
): Promise<Node | undefined> {
  const source: Source = { file, text: '', base }
  const nowhere: Place = { source, offset: -1 }
  const url = pathToFileURL(file)
  try {
    url.searchParams.set('changed', String(statSync(file).mtimeMs))
    const exports: unknown = await import(url.href)
    const site: unknown =
      typeof exports === 'object' && exports !== null && 'default' in exports
        ? await exports.default
        : undefined
    if (site === undefined) {
      report.problem(nowhere, [], 'no default export', { expected: 'export default site({ … })' })
      return undefined
    }
    return treeOf(site, source)
  } catch (error) {
    report.problem(placeOf(error, source), [], `this program failed: ${reasonOf(error)}`)
    return undefined
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return `${error.name}: ${error.message}`.replace(/\s+/g, ' ').trim()
}

/** The first line of the stack that is in the file itself. */
function placeOf(error: unknown, source: Source): Place {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  for (const [, url = '', line = '1', column = '1'] of stack.matchAll(
    /(file:\/\/[^\s()?]+)(?:\?[^\s():]*)?:(\d+)(?::(\d+))?/g,
  )) {
    if (pathOf(url) === source.file) return placeIn(source, Number(line), Number(column))
  }
  return { source, offset: -1 }
}

function pathOf(url: string): string {
  try {
    return fileURLToPath(url)
  } catch {
    return ''
  }
}

/** A place by line and column: a text of empty lines is all that it takes. */
function placeIn(source: Source, line: number, column: number): Place {
  const text = '\n'.repeat(Math.max(0, line - 1)) + ' '.repeat(Math.max(1, column))
  return { source: { ...source, text }, offset: text.length - 1 }
}
