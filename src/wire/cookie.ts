/** The Cookie field (RFC 6265 §4.2.1). Pure. */

import { trimBlanks } from './fields.ts'

/** The value of the first cookie of that name in `field`, as it came; '' when there is none. */
export function cookieValue(field: string, name: string): string {
  for (let at = 0; at < field.length; ) {
    const semicolon = field.indexOf(';', at)
    const end = semicolon < 0 ? field.length : semicolon
    let from = at
    while (from < end && isBlank(field.charCodeAt(from))) from++
    if (field.startsWith(name, from) && field[from + name.length] === '=')
      return trimBlanks(field.slice(from + name.length + 1, end))
    at = end + 1
  }
  return ''
}

/**
 * The field with every cookie of that name put through `change`, which returns its new value, or null to
 * leave it out; the same text where there is none of that name.
 */
export function changeCookie(
  field: string,
  name: string,
  change: (value: string) => string | null,
): string {
  if (!field.includes(name)) return field
  let changed = false
  const kept: string[] = []
  for (const part of field.split(';')) {
    const pair = trimBlanks(part)
    if (!pair.startsWith(`${name}=`)) {
      if (pair !== '') kept.push(pair)
      continue
    }
    const before = pair.slice(name.length + 1)
    const after = change(before)
    if (after !== before) changed = true
    if (after !== null) kept.push(`${name}=${after}`)
  }
  return changed ? kept.join('; ') : field
}

function isBlank(character: number): boolean {
  return character === 0x20 || character === 0x09
}
