/**
 * The sum of two decimal fractions without the errors of binary ones: 0.1 + 0.2 is 0.3, as in Redis, which
 * adds in 80 bits and shows 17 digits behind the point.
 */

const FORM = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/
const PLACES = 17
/** Largest power of ten: a number of a page's length is nobody's. */
const MOST_DIGITS = 60

interface Decimal {
  readonly digits: bigint
  /** Digits behind the point. */
  readonly places: number
}

/** Null where either is no number, or is too large or too small. */
export function addDecimals(one: string, other: string): string | null {
  const [a, b] = [parse(one), parse(other)]
  if (a === null || b === null) return null
  const places = Math.max(a.places, b.places)
  const digits =
    a.digits * 10n ** BigInt(places - a.places) + b.digits * 10n ** BigInt(places - b.places)
  return show({ digits, places })
}

function parse(text: string): Decimal | null {
  const [whole, sign = '', before = '', behind = '', power = '0'] = FORM.exec(text) ?? []
  if (whole === undefined || before + behind === '') return null
  const places = behind.length - Number(power)
  const all = `${before}${behind}`
  if (all.length > MOST_DIGITS || Math.abs(places) > MOST_DIGITS) return null
  const digits = BigInt(`${sign === '-' ? '-' : ''}${all}`)
  return places < 0 ? { digits: digits * 10n ** BigInt(-places), places: 0 } : { digits, places }
}

function show({ digits, places }: Decimal): string {
  let [value, behind] = [digits, places]
  if (behind > PLACES) {
    const unit = 10n ** BigInt(behind - PLACES)
    const half = value < 0n ? -unit / 2n : unit / 2n
    value = (value + half) / unit
    behind = PLACES
  }
  const sign = value < 0n ? '-' : ''
  const text = (value < 0n ? -value : value).toString().padStart(behind + 1, '0')
  if (behind === 0) return sign + text
  const fraction = text.slice(-behind).replace(/0+$/, '')
  return `${sign}${text.slice(0, -behind)}${fraction === '' ? '' : `.${fraction}`}`
}
