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
  return {
    isIn: (text) => {
      const found = matches(expression, Buffer.from(text, 'latin1').toString())
      if (found !== null) return found
      throw new Unwell(`the answer keeps ${source} busy for more than ${LONGEST_MS} ms`)
    },
  }
}

/** One for all: a context is half a megabyte. */
let box: { expression: RegExp; text: string } | null = null
const test = new Script('expression.test(text)')

/** Null: it took too long. Only what runs in a context of its own can be stopped. */
function matches(expression: RegExp, text: string): boolean | null {
  box ??= createContext({ expression, text }) as { expression: RegExp; text: string }
  Object.assign(box, { expression, text })
  try {
    return test.runInContext(box, { timeout: LONGEST_MS }) === true
  } catch {
    return null
  } finally {
    box.text = ''
  }
}
