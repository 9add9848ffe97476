/** Files whose change reloads what they stand for: `touch` one of them. They need not be there yet. */
import { type Stats, unwatchFile, watchFile } from 'node:fs'
import type { SitePlan } from '../site/plan.ts'
import type { OneApp } from './status.ts'

/** How often they are looked at: asking the kernel costs microseconds, and works on every file system. */
const EVERY_MS = 500

export interface TouchWatch {
  close(): void
}

/** Calls `touched` each time that one of the plan's files is written, or appears; null: the whole site's. */
export function watchTouch(
  { touch = [], apps }: Pick<SitePlan, 'touch' | 'apps'>,
  touched: (path: string, only: OneApp | null) => void,
): TouchWatch {
  const own = Object.values(apps).flatMap(({ name, reload }) =>
    (reload?.touch ?? []).map((path) => ({ path, only: { app: name } })),
  )
  const all = [...touch.map((path) => ({ path, only: null })), ...own]
  const watched = all.map(({ path, only }) => {
    const listener = (now: Stats, before: Stats): void => {
      const isThere = now.mtimeMs > 0
      if (isThere && (now.mtimeMs !== before.mtimeMs || now.ino !== before.ino)) touched(path, only)
    }
    watchFile(path, { interval: EVERY_MS, persistent: false }, listener)
    return { path, listener }
  })
  return {
    close() {
      for (const { path, listener } of watched) unwatchFile(path, listener)
    },
  }
}
