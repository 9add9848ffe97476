/** What the cookies of a site's pools are signed with, where no file is named: made once, and kept. */
import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const FILE = 'persistence.secret'
/** As text: 256 bits. */
const SECRET = /^[0-9a-f]{64}$/

/**
 * In `folder`, for us alone. Where it cannot be kept, `complain` gets a line, and it lasts as long as this
 * process.
 */
export function siteSecret(folder: string, complain: (line: string) => void): string {
  const file = join(folder, FILE)
  const fresh = randomBytes(32).toString('hex')
  try {
    return kept(file) ?? keep(folder, file, fresh)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    complain(
      `cookies of visitors count until the next start only, since their secret cannot be kept: ${why}`,
    )
    return fresh
  }
}

/** Null: there is none yet. */
function kept(file: string): string | null {
  try {
    const text = readFileSync(file, 'latin1').trim()
    if (!SECRET.test(text)) throw new Error(`${file} holds no secret: remove it`)
    return text
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

/** Whole or not at all, also if another one does the same at this moment: the first one's stays. */
function keep(folder: string, file: string, secret: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, `${secret}\n`, { mode: 0o600, flag: 'w' })
  try {
    linkSync(draft, file)
    return secret
  } catch (error) {
    const known = kept(file)
    if (known === null) throw error
    return known
  } finally {
    rmSync(draft, { force: true })
  }
}
