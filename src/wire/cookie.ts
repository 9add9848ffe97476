/** The Cookie field (RFC 6265 §4.2.1). Pure. */

/** The value of the first cookie of that name in `field`, as it came; '' when there is none. */
export function cookieValue(field: string, name: string): string {
  for (let at = 0; at < field.length; ) {
    const semicolon = field.indexOf(';', at)
    const end = semicolon < 0 ? field.length : semicolon
    let from = at
    while (from < end && isBlank(field.charCodeAt(from))) from++
    if (field.startsWith(name, from) && field[from + name.length] === '=')
      return field.slice(from + name.length + 1, end).trimEnd()
    at = end + 1
  }
  return ''
}

function isBlank(character: number): boolean {
  return character === 0x20 || character === 0x09
}
