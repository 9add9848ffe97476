/** Set-Cookie fields in the block of an answer (RFC 6265 §4.1). Pure. */

/** One place where an answer sets a cookie: its value is `fields.slice(from, to)`. */
export interface SetCookie {
  readonly from: number
  readonly to: number
}

const FIELD = 'set-cookie:'

/** Every place where the block sets the cookie of that name, in order; null for none, as nearly always. */
export function findSetCookies(fields: string, name: string): SetCookie[] | null {
  let found: SetCookie[] | null = null
  for (let at = 0; at < fields.length; ) {
    const end = endOfLine(fields, at)
    if (isSetCookie(fields, at)) {
      const pair = skipBlanks(fields, at + FIELD.length, end)
      const from = pair + name.length + 1
      if (fields.startsWith(name, pair) && fields[from - 1] === '=' && from <= end) {
        const semicolon = fields.indexOf(';', from)
        let to = semicolon < 0 || semicolon > end ? end : semicolon
        while (to > from && isBlank(fields.charCodeAt(to - 1))) to--
        found ??= []
        found.push({ from, to })
      }
    }
    at = end + 2
  }
  return found
}

/** The block with the values of these places put through `change`. */
export function changeValues(
  fields: string,
  places: readonly SetCookie[],
  change: (value: string) => string,
): string {
  let text = ''
  let at = 0
  for (const { from, to } of places) {
    text += fields.slice(at, from) + change(fields.slice(from, to))
    at = to
  }
  return text + fields.slice(at)
}

/** The rest of that cookie's line: its attributes. */
export function attributesAt(fields: string, { to }: SetCookie): string {
  return fields.slice(to, endOfLine(fields, to))
}

function endOfLine(fields: string, at: number): number {
  const end = fields.indexOf('\r\n', at)
  return end < 0 ? fields.length : end
}

function isSetCookie(fields: string, at: number): boolean {
  const first = fields.charCodeAt(at) | 0x20
  // 's', before anything is copied.
  return first === 0x73 && fields.slice(at, at + FIELD.length).toLowerCase() === FIELD
}

function skipBlanks(fields: string, from: number, end: number): number {
  let at = from
  while (at < end && isBlank(fields.charCodeAt(at))) at++
  return at
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
