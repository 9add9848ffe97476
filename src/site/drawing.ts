/** What the parts of a Plan are drawn from: the settings, where they were written, what is reported. */
import { accessSync, constants, type Stats, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { KeyPath } from './problem.ts'
import type { TreeReport } from './report.ts'
import type { Settings } from './settings.ts'
import { type Node, nodeAt } from './tree.ts'

export interface Drawing {
  readonly settings: Settings
  readonly root: Node
  readonly report: TreeReport
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Absolute; relative paths begin at the folder of the file that they were written in. */
export function absolutePath(drawing: Drawing, path: KeyPath, text: string): string {
  return resolve(drawing.report.place(path).source.base, text)
}

/** The absolute path of a folder that has to be there; what is wrong with it is reported. */
export function existingFolder(drawing: Drawing, path: KeyPath, text: string): string {
  const folder = absolutePath(drawing, path, text)
  const found = stat(folder)
  if (found === undefined) drawing.report.problem(path, `no such folder: ${folder}`)
  else if (!found.isDirectory()) drawing.report.problem(path, `not a folder: ${folder}`)
  else if (!isReadable(folder))
    drawing.report.problem(path, `this folder cannot be read: ${folder}`)
  return folder
}

/** The absolute path of a file to be written; its folder has to be there. */
export function writableFile(drawing: Drawing, path: KeyPath, text: string): string {
  const file = absolutePath(drawing, path, text)
  const folder = dirname(file)
  if (stat(folder)?.isDirectory() !== true)
    drawing.report.problem(path, `no such folder: ${folder}`)
  else if (stat(file)?.isDirectory() === true) drawing.report.problem(path, `a folder: ${file}`)
  return file
}

/** Names to text, where numbers stay as they were written: `VERSION: 1.10` is "1.10". */
export function textAsWritten(
  { root, report }: Drawing,
  path: KeyPath,
  map: Readonly<Record<string, string | number | boolean>>,
): Record<string, string> {
  const pairs = Object.entries(map).map(([name, value]): [string, string] => {
    const node = nodeAt(root, [...path, name])
    const text = node?.kind === 'scalar' ? node.written : String(value)
    if (text.includes('\0')) report.problem([...path, name], 'a variable holds no NUL')
    return [name, text]
  })
  return Object.fromEntries(pairs)
}

/** An interpreter: a name to look up later, or a file that has to be there. */
export function interpreterFile(drawing: Drawing, path: KeyPath, text: string): string {
  if (!text.includes('/')) return text
  return existingFile(drawing, path, text)
}

/** The absolute path of a file that has to be there. */
export function existingFile(drawing: Drawing, path: KeyPath, text: string): string {
  const file = absolutePath(drawing, path, text)
  if (stat(file)?.isFile() !== true) drawing.report.problem(path, `no such file: ${file}`)
  else if (!isReadable(file)) drawing.report.problem(path, `this file cannot be read: ${file}`)
  return file
}

export function stat(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    // Not a folder on the way there, a loop of links, no permission: not there for us.
    return undefined
  }
}

export function isReadable(path: string): boolean {
  return isAllowed(path, constants.R_OK)
}

export function isExecutable(path: string): boolean {
  return isAllowed(path, constants.X_OK)
}

function isAllowed(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}
