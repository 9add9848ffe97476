/**
 * The machine's users and groups by name: its own files, then whatever else it asks (`getent`, so LDAP
 * and the like count).
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

export type Database = 'passwd' | 'group'

/** The fields of the entry with this name or number (see passwd(5), group(5)). */
export function entryOf(database: Database, key: string): string[] | undefined {
  const local = fieldsOf(localEntries(database), key)
  if (local !== undefined) return local
  try {
    const found = execFileSync('getent', [database, key], { stdio: ['ignore', 'pipe', 'ignore'] })
    return fieldsOf(found.toString(), key)
  } catch {
    return undefined
  }
}

/** The names that the machine's own file has, for a hint at what was meant. */
export function namesIn(database: Database): string[] {
  return localEntries(database)
    .split('\n')
    .map((line) => line.split(':')[0] ?? '')
    .filter((name) => name !== '')
}

function localEntries(database: Database): string {
  try {
    return readFileSync(`/etc/${database}`, 'utf8')
  } catch {
    return ''
  }
}

function fieldsOf(lines: string, key: string): string[] | undefined {
  return lines
    .split('\n')
    .map((line) => line.split(':'))
    .find((parts) => parts[0] === key || parts[2] === key)
}
