/** A site file and everything that it includes, as one tree. */
import { globSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname, extname, resolve } from 'node:path'
import { merge } from './merge.ts'
import type { KeyPath } from './problem.ts'
import type { Report } from './report.ts'
import { type MapNode, type Node, type Place, placeAt, type Source } from './tree.ts'

const PROGRAMS = ['.ts', '.mts', '.js', '.mjs']
const LARGEST = 4 * 1024 * 1024
const MOST_FILES = 1000

export interface SiteText {
  /** Undefined when a file could not be read: what is missing would show up as mistakes elsewhere. */
  readonly root: MapNode | undefined
  /** Every file that was read, the site file first. */
  readonly sources: readonly string[]
}

export async function readSite(
  file: string,
  environment: Readonly<Record<string, string | undefined>>,
  report: Report,
): Promise<SiteText> {
  const sources: string[] = []
  let complete = true

  const read = async (
    path: string,
    from: Place,
    chain: readonly string[],
  ): Promise<MapNode | undefined> => {
    const name = realName(path)
    if (chain.includes(name)) {
      report.problem(from, ['include'], `a loop: ${[...chain, name].join(' → ')}`)
      return undefined
    }
    if (sources.length >= MOST_FILES) {
      report.problem(from, ['include'], `more than ${MOST_FILES} files`)
      return undefined
    }
    sources.push(path)
    const node = await readOne(path, from, environment, report)
    if (node?.kind !== 'map') complete = false
    if (node === undefined) return undefined
    if (node.kind !== 'map') {
      report.problem(node.place, [], 'a site file is a mapping', {
        expected: 'keys such as routes:',
      })
      return undefined
    }
    let whole = node
    for (const { pattern, path: at } of includes(node)) {
      const place = placeAt(node, at, 'value')
      const found = expand(pattern, dirname(path))
      if (found.length === 0 && !isPattern(pattern)) {
        report.problem(place, at, `no such file: ${resolve(dirname(path), pattern)}`)
      }
      for (const each of found) {
        const included = await read(each, place, [...chain, name])
        if (included !== undefined) whole = merge(whole, included, report)
      }
    }
    return whole
  }

  const nowhere: Place = { source: { file, text: '', base: dirname(file) }, offset: -1 }
  const root = await read(file, nowhere, [])
  return { root: complete ? root : undefined, sources }
}

async function readOne(
  file: string,
  from: Place,
  environment: Readonly<Record<string, string | undefined>>,
  report: Report,
): Promise<Node | undefined> {
  if (PROGRAMS.includes(extname(file))) {
    const { readModule } = await import('./read-module.ts')
    return readModule(file, dirname(file), report)
  }
  let text: string
  try {
    const { size } = statSync(file)
    if (size > LARGEST) throw new Error(`${size} bytes are too many for a site file`)
    // A decoder that stops at what is not UTF-8; a byte order mark is no content.
    text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file))
  } catch (error) {
    report.problem(
      from,
      [],
      `cannot read ${file}: ${error instanceof Error ? error.message : error}`,
    )
    return undefined
  }
  const source: Source = { file, text, base: dirname(file) }
  const { readYaml } = await import('./read-yaml.ts')
  return readYaml(source, environment, report)
}

/** What is wrong with the key itself, the schema says later. */
function includes(node: MapNode): { pattern: string; path: KeyPath }[] {
  const include = node.entries.get('include')?.node
  const items = include?.kind === 'list' ? include.items : include === undefined ? [] : [include]
  return items.flatMap((item, index) =>
    item.kind === 'scalar' && typeof item.value === 'string' && item.value !== ''
      ? [{ pattern: item.value, path: include === item ? ['include'] : ['include', index] }]
      : [],
  )
}

function isPattern(text: string): boolean {
  return /[*?[{]/.test(text)
}

function expand(pattern: string, base: string): string[] {
  const matches = isPattern(pattern) ? globSync(pattern, { cwd: base }) : [pattern]
  return matches
    .map((match) => resolve(base, match))
    .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true)
    .sort()
}

function realName(file: string): string {
  try {
    return realpathSync(file)
  } catch {
    return file
  }
}
