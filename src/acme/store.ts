/**
 * Where certificates, accounts and challenges are kept, so that all machines of a site have the same. One
 * conformance suite for all: test/acme/stores.ts.
 */

export interface Store {
  /** For messages: without a password. */
  readonly shown: string
  /** Null: there is none. Rejects where the store does not answer. */
  read(key: string): Promise<string | null>
  /** In one step. Null: removed. `forMs`: whoever comes later finds nothing any more. */
  write(key: string, value: string | null, forMs?: number): Promise<void>
  /** For as long as it is held, nobody else has it, on any machine. Null: somebody has. */
  lock(name: string): Promise<Lease | null>
  close(): void
}

export interface Lease {
  /** Aborted where it could not be kept. */
  readonly lost: AbortSignal
  release(): Promise<void>
}

/** Who is silent for so long has died, and its locks are free, ms. */
export const LEASE_MS = 30_000
/** Longest for an answer of a store, ms. */
export const STORE_MS = 10_000

const KEY = /^[A-Za-z0-9_-][A-Za-z0-9_.:-]*(\/[A-Za-z0-9_-][A-Za-z0-9_.:-]*)*$/

/** Throws for what would mean something else to some store, such as a path out of its folder. */
export function checkKey(key: string): string {
  if (key.length > 400 || !KEY.test(key))
    throw new Error(`no key of a store: ${JSON.stringify(key)}`)
  return key
}

/** A host's name in a key. */
export function keyOfName(name: string): string {
  return name.replace('*', '_wildcard').replaceAll(':', '_')
}

/** Keeps a lease: `renew` is called so often that it never ends by itself; false: somebody else has it. */
export function keepLease(renew: () => Promise<boolean>, release: () => Promise<void>): Lease {
  const lost = new AbortController()
  let lastAt = performance.now()
  const end = (): void => {
    clearInterval(timer)
    lost.abort(new Error('another machine may have taken over: the store did not keep our lock'))
  }
  const timer = setInterval(() => {
    const at = performance.now()
    renew().then(
      (kept) => {
        if (kept) lastAt = at
        else end()
      },
      () => {
        if (performance.now() - lastAt >= LEASE_MS) end()
      },
    )
  }, LEASE_MS / 3)
  timer.unref()
  return {
    lost: lost.signal,
    async release() {
      clearInterval(timer)
      if (!lost.signal.aborted) await release().catch(() => {})
    },
  }
}
