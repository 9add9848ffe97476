/** Whether OpenSSL understands what a site file lists in its words. */
import type { SecureContextOptions } from 'node:tls'

export interface Lists {
  readonly ciphers: string
  readonly groups: string
  /** '' for OpenSSL's own. */
  readonly signatures: string
}

/** What is wrong with each; empty: nothing. */
export function judgeLists({
  ciphers,
  groups,
  signatures,
}: Lists): Partial<Record<keyof Lists, string>> {
  return {
    // Of ciphers it passes over those that it does not know.
    ...(isKnown({ ciphers }) ? {} : { ciphers: 'OpenSSL knows none of these' }),
    ...(isKnown({ ecdhCurve: groups }) ? {} : { groups: 'OpenSSL does not know all of these' }),
    ...(signatures === '' || isKnown({ sigalgs: signatures })
      ? {}
      : { signatures: 'OpenSSL does not know all of these' }),
  }
}

function isKnown(options: SecureContextOptions): boolean {
  try {
    process.getBuiltinModule('node:tls').createSecureContext({ ca: [], ...options })
    return true
  } catch {
    return false
  }
}
