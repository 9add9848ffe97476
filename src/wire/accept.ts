/** Accept, Accept-Encoding and their like: names with weights (RFC 9110 §12.4.2). Pure. */

/** More members than this are not looked at. */
const MOST_MEMBERS = 64

/**
 * The weights of a list such as `gzip;q=0.8, br`, names in lower case, other parameters dropped. A
 * malformed weight counts as 0: what cannot be read is not asked for.
 */
export function parseWeights(value: string): Map<string, number> {
  const weights = new Map<string, number>()
  for (const member of value.split(',', MOST_MEMBERS)) {
    const parts = member.split(';')
    const name = parts[0]!.trim().toLowerCase()
    if (name === '') continue
    let weight = 1
    for (let i = 1; i < parts.length; i++) {
      const parameter = parts[i]!.trim()
      if (/^q=/i.test(parameter)) weight = parseWeight(parameter.slice(2))
    }
    if (!weights.has(name)) weights.set(name, weight)
  }
  return weights
}

/** `0` to `1` with at most three decimals. */
function parseWeight(text: string): number {
  return /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(text) ? Number(text) : 0
}
