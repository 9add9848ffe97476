/** HTTP dates (RFC 9110 §5.6.7): one form written, three forms read. Pure. */

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

/** `Sun, 06 Nov 1994 08:49:37 GMT` */
const IMF =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/
/** `Sunday, 06-Nov-94 08:49:37 GMT` */
const RFC850 =
  /^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\d\d)-([A-Z][a-z]{2})-(\d\d) (\d\d):(\d\d):(\d\d) GMT$/
/** `Sun Nov  6 08:49:37 1994` */
const ASCTIME =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})$/

/** The date as IMF-fixdate. `seconds` since 1970. */
export function formatHttpDate(seconds: number): string {
  return new Date(seconds * 1000).toUTCString()
}

/** Seconds since 1970, or -1 for what is no HTTP date (such a field is ignored, never an error). */
export function parseHttpDate(text: string): number {
  const imf = IMF.exec(text)
  if (imf !== null) return seconds(imf[3]!, imf[2]!, imf[1]!, imf[4]!, imf[5]!, imf[6]!)
  const old = RFC850.exec(text)
  if (old !== null) {
    return seconds(fullYear(Number(old[3])), old[2]!, old[1]!, old[4]!, old[5]!, old[6]!)
  }
  const asc = ASCTIME.exec(text)
  if (asc !== null) return seconds(asc[6]!, asc[1]!, asc[2]!, asc[3]!, asc[4]!, asc[5]!)
  return -1
}

/**
 * §5.6.7 counts a two-digit year from the current one; without a clock, and since this form is older
 * than 1990, 70 to 99 are of the past century.
 */
function fullYear(twoDigits: number): string {
  return String(twoDigits < 70 ? 2000 + twoDigits : 1900 + twoDigits)
}

function seconds(
  year: string,
  month: string,
  day: string,
  hour: string,
  minute: string,
  second: string,
): number {
  const index = MONTHS.indexOf(month.toLowerCase())
  // A leap second counts as the second before it.
  const sec = Math.min(Number(second), 59)
  if (index < 0 || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return -1
  const date = new Date(0)
  date.setUTCFullYear(Number(year), index, Number(day))
  date.setUTCHours(Number(hour), Number(minute), sec)
  // 31 April and the like would roll over into the next month.
  if (date.getUTCMonth() !== index || date.getUTCDate() !== Number(day)) return -1
  return date.getTime() / 1000
}
