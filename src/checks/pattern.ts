/** What has to be in an answer: a text, or `~` and a regular expression. */
import { createContext, Script } from 'node:vm'
import { Unwell } from './check.ts'

/** An expression may take that long on an answer that somebody made to keep us busy, ms. */
const LONGEST_MS = 100

export interface Pattern {
  /** `text`: one character for each byte. */
  isIn(text: string): boolean
}

/** Throws a SyntaxError for what is no expression. */
export function patternOf(source: string): Pattern {
  if (!source.startsWith('~')) {
    const bytes = Buffer.from(source).toString('latin1')
    return { isIn: (text) => text.includes(bytes) }
  }
  const expression = new RegExp(source.slice(1))
  const box = createContext({ expression, text: '' })
  const script = new Script('expression.test(text)')
  return {
    isIn: (text) => {
      box.text = Buffer.from(text, 'latin1').toString()
      try {
        return script.runInContext(box, { timeout: LONGEST_MS }) === true
      } catch {
        throw new Unwell(`the answer keeps ${source} busy for more than ${LONGEST_MS} ms`)
      } finally {
        box.text = ''
      }
    },
  }
}
