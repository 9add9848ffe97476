/** Automatic certificates in the Plan. Plain data; keys are named by their files. */

/** How a CA is shown that a name is ours. */
export const CHALLENGES = ['http-01', 'tls-alpn-01', 'dns-01'] as const
export type ChallengeType = (typeof CHALLENGES)[number]

/** What a certificate's key is. */
export const KEY_TYPES = ['p256', 'p384', 'rsa2048', 'rsa4096'] as const
export type KeyType = (typeof KEY_TYPES)[number]

/** An account that a CA has given out before. */
export interface ExternalPlan {
  readonly keyId: string
  /** Absolute: the file that holds its key, base64url. */
  readonly keyFile: string
}

export interface AcmeServerPlan {
  /** Of its directory. */
  readonly url: string
  /** Null: anybody may make an account. */
  readonly external: ExternalPlan | null
}

export interface AcmePlan {
  /** What CAs are asked for, a certificate each. */
  readonly names: readonly string[]
  /** What our own authority answers for: names and addresses in one certificate. */
  readonly local: readonly string[]
  /** One after the other, until one gives a certificate. */
  readonly servers: readonly AcmeServerPlan[]
  readonly email: string
  /** In the order in which they are tried. */
  readonly challenges: readonly ChallengeType[]
  readonly keyType: KeyType
  /** Whether a name that is not in the site file may have a certificate, this address is asked; '': none may. */
  readonly ask: string
  /** Most names that have one for that reason. */
  readonly mostAsked: number
  /** `file:/folder`, `redis://…` or `etcd://…`: may hold a password, and is not for the server process. */
  readonly store: string
  /** Others may use the store, too. */
  readonly shared: boolean
  /** A file with certificates that are trusted when CAs are asked; '' for the system's. */
  readonly trust: string
  /** A program and its arguments that writes DNS records; empty: there is none. */
  readonly dnsHook: readonly string[]
  /** Folder of our own authority. */
  readonly authority: string
}
