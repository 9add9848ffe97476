/**
 * Site files as data. valid/NAME.yaml (or .ts) has NAME.json beside it: a part of the Plan that it
 * makes. invalid/NAME.yaml has NAME.expected: every line that is said about it.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { SitePlan } from '../../src/site/plan.ts'
import { SiteError } from '../../src/site/problem.ts'
import { load, withoutFolder } from './here.ts'

const CASES = join(import.meta.dirname, '../cases/site')
const ENVIRONMENT = { PORT: '8090', NAME: 'shop', EMPTY: '', SHOP_WORKERS: '3' }

type Outcome = { readonly plan: SitePlan } | { readonly message: string }

async function outcome(folder: string, name: string): Promise<Outcome> {
  if (name.endsWith('.ts')) {
    const program = join(import.meta.dirname, 'load-alone.ts')
    const args = [program, name, folder, JSON.stringify(ENVIRONMENT)]
    return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }))
  }
  try {
    return { plan: (await load(folder, name, {}, ENVIRONMENT)).plan }
  } catch (error) {
    if (!(error instanceof SiteError)) throw error
    return { message: error.message }
  }
}

function casesIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => /\.(yaml|ts)$/.test(name))
}

function stem(name: string): string {
  return name.replace(/\.\w+$/, '')
}

describe('valid site files', () => {
  const folder = join(CASES, 'valid')
  it.each(casesIn(folder))('%s', async (name) => {
    const expected: object = JSON.parse(readFileSync(join(folder, `${stem(name)}.json`), 'utf8'))
    const found = withoutFolder(JSON.stringify(await outcome(folder, name)), folder)
    expect(JSON.parse(found)).toMatchObject({ plan: expected })
  })
})

describe('invalid site files', () => {
  const folder = join(CASES, 'invalid')
  it.each(casesIn(folder))('%s', async (name) => {
    const expected = readFileSync(join(folder, `${stem(name)}.expected`), 'utf8')
    const found = await outcome(folder, name)
    expect('message' in found ? `${withoutFolder(found.message, folder)}\n` : found).toBe(expected)
  })

  it('have no expectation without its file', () => {
    const lost = ['valid', 'invalid'].flatMap((kind) =>
      readdirSync(join(CASES, kind))
        .filter((name) => /\.(json|expected)$/.test(name))
        .map((name) => join(CASES, kind, stem(name)))
        .filter((path) => !existsSync(`${path}.yaml`) && !existsSync(`${path}.ts`)),
    )
    expect(lost).toEqual([])
  })
})
