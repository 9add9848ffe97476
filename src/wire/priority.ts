/** What a visitor says of the order of answers: the Priority field (RFC 9218 §4). Pure. */

export interface Priority {
  /** 0 (first) to 7 (last). */
  readonly urgency: number
  /**
   * Parts of it are of use, so it shares with its equals; else it goes before those that were asked for
   * later. Who says nothing shares as well: so do visitors that know no priorities.
   */
  readonly incremental: boolean
}

export const USUAL_PRIORITY: Priority = { urgency: 3, incremental: true }

/** Reads a dictionary (RFC 8941 §3.2) as far as it concerns us; what is malformed says nothing. */
export function parsePriority(value: string): Priority {
  let urgency = 3
  let incremental = false
  let told = false
  for (const member of value.split(',', 16)) {
    const [item = ''] = member.trim().split(';')
    if (/^u=[0-7]$/.test(item)) urgency = Number(item.slice(2))
    else if (item === 'i' || item === 'i=?1') incremental = true
    else if (item === 'i=?0') incremental = false
    else continue
    told = true
  }
  return told ? { urgency, incremental } : USUAL_PRIORITY
}
