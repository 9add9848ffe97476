/** uWSGI's YAML and JSON: a mapping of section names to mappings of options; a list means one by one. */
import { isMap, isScalar, isSeq, parseDocument, type Node as YamlNode } from 'yaml'
import type { Ini, IniLine } from './ini.ts'

/** Throws an Error with the reason when the text cannot be read. */
export function parseStructured(text: string, section: string): Ini {
  const document = parseDocument(text, { prettyErrors: false, uniqueKeys: false, version: '1.1' })
  const [error] = document.errors
  if (error !== undefined) throw new Error(error.message.replace(/\s+/g, ' '))
  const root = document.contents
  if (!isMap(root)) throw new Error('a mapping of section names to options is expected')
  const lines: IniLine[] = []
  const sections: string[] = []
  for (const pair of root.items) {
    const name = textOf(pair.key as YamlNode | null)
    sections.push(name)
    if (name !== section || !isMap(pair.value)) continue
    for (const { key, value } of pair.value.items) {
      const option = key as YamlNode
      const at = option.range?.[0] ?? 0
      const nodes = isSeq(value) ? value.items : [value]
      for (const node of nodes) {
        // As uWSGI does: what is neither text nor number is passed over.
        if (!isScalar(node)) continue
        lines.push({ key: textOf(option), value: textOf(node), at: node.range?.[0] ?? at })
      }
    }
  }
  return { lines, sections: [...new Set(sections)] }
}

/** As it was written: `1.50` and `false` are options' text, not numbers and truths. */
function textOf(node: YamlNode | null): string {
  if (!isScalar(node) || node.value === null) return ''
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value))
}
