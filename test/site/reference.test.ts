import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { jsonSchema, markdown } from '../../src/site/reference.ts'

const DOCS = join(import.meta.dirname, '../../docs')

describe('the reference of the site file', () => {
  it('is what docs/ holds; `portico docs --write docs` renews it', () => {
    expect(readFileSync(join(DOCS, 'site-file.md'), 'utf8')).toBe(markdown())
    const schema = `${JSON.stringify(jsonSchema(), null, 2)}\n`
    expect(readFileSync(join(DOCS, 'site.schema.json'), 'utf8')).toBe(schema)
  })

  it('has a sentence for every setting', () => {
    const silent: string[] = []
    const walk = (form: unknown, path: string): void => {
      if (typeof form !== 'object' || form === null) return
      for (const [key, value] of Object.entries(form)) {
        if (key === 'properties') {
          for (const [name, setting] of Object.entries(value as Record<string, object>)) {
            const sentence = 'description' in setting ? String(setting.description) : ''
            if (!/^[A-Z`].*[.]$/s.test(sentence)) silent.push(`${path}.${name}`)
          }
        }
        walk(value, `${path}.${key}`)
      }
    }
    walk(jsonSchema(), '')
    expect(silent).toEqual([])
  })
})
