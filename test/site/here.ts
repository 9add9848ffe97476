/** A world of its own for each test: folders that hold files, and no variables but the given ones. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type LoadedSite, loadSite } from '../../src/site/load.ts'
import type { Overrides } from '../../src/site/overrides.ts'
import { SiteError } from '../../src/site/problem.ts'

/** A folder with these files, gone after the test. A name that ends in `/` is a folder. */
export function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'site-')))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name)
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true })
    if (!name.endsWith('/')) writeFileSync(path, text)
  }
  return folder
}

export function load(
  folder: string,
  target = '.',
  overrides: Overrides = {},
  environment: Readonly<Record<string, string>> = {},
): Promise<LoadedSite> {
  return loadSite(target, overrides, { cwd: folder, environment })
}

/** What is wrong, a line each, with `<here>` for the folder. */
export async function complaints(
  folder: string,
  target = '.',
  overrides: Overrides = {},
  environment: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  try {
    await load(folder, target, overrides, environment)
    return []
  } catch (error) {
    if (!(error instanceof SiteError)) throw error
    return withoutFolder(error.message, folder).split('\n')
  }
}

/** Messages name files from the current folder where they are below it, else absolutely. */
export function withoutFolder(text: string, folder: string): string {
  const near = folder.startsWith(`${process.cwd()}/`) ? folder.slice(process.cwd().length + 1) : ''
  const absolute = text.replaceAll(folder, '<here>')
  return near === '' ? absolute : absolute.replaceAll(near, '<here>')
}
