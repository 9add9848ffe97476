/** What stands in a value for something else: `%(option)`, `$(VARIABLE)`, `@(file)`. */
import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'

/** Of a file that is a value, bytes. */
const LARGEST = 65_536

export type Environment = Readonly<Record<string, string | undefined>>

/** The value of an option by its name; undefined when nobody has set it. */
export type Lookup = (name: string) => string | undefined

/** As uWSGI: an unknown name stays as it is written. */
export function replaceVariables(value: string, environment: Environment): string {
  return value.replace(/\$\(([^()]*)\)/g, (whole, name: string) => environment[name] ?? whole)
}

/** The first line is what counts. Throws an Error when a file cannot be read. */
export function replaceFiles(value: string, cwd: string): string {
  return value.replace(/@\(([^()]+)\)/g, (_whole, name: string) => {
    const path = resolve(cwd, name)
    const stats = statSync(path)
    if (!stats.isFile() || stats.size > LARGEST) {
      throw new Error(`${path} is no file, or larger than ${LARGEST} bytes`)
    }
    return readFileSync(path, 'utf8').trimEnd()
  })
}

/** `%(name)`, and sums: `%(workers * 2)`. One pass, innermost first. */
export function replacePlaceholders(value: string, lookup: Lookup): string {
  return value.replace(/%\(([^()%]+)\)/g, (whole, inside: string) => {
    return evaluate(inside, lookup) ?? whole
  })
}

/** A pipeline from left to right: values that follow each other are joined as text. */
function evaluate(inside: string, lookup: Lookup): string | undefined {
  if (!inside.includes(' ')) return lookup(inside)
  let current: string | undefined
  let pending = ''
  for (const token of inside.split(' ').filter((each) => each !== '')) {
    if (/^[-+*/]$/.test(token)) pending = token
    else if (token === '++' || token === '--') {
      if (current !== undefined) current = String(whole(current) + (token === '++' ? 1n : -1n))
      pending = ''
    } else {
      const value = /^\d+$/.test(token) ? token : (lookup(token) ?? '')
      current = combine(current ?? '', pending, value)
      pending = ''
    }
  }
  return current
}

function combine(left: string, operator: string, right: string): string {
  const [a, b] = [whole(left), whole(right)]
  switch (operator) {
    case '+':
      return String(a + b)
    case '-':
      return String(a - b)
    case '*':
      return String(a * b)
    case '/':
      return b === 0n ? '0' : String(a / b)
  }
  return left + right
}

/** As strtoll reads it: what stands before the first other character. */
function whole(text: string): bigint {
  return BigInt(/^\s*([-+]?\d{1,18})/.exec(text)?.[1] ?? 0)
}
