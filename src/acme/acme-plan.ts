/** Automatic certificates in the Plan. Plain data; no secret is in it but what an owner wrote into `store`. */
import type { ChallengeType } from './problem.ts'
import type { KeyType } from './x509.ts'

/** An account that a CA has given out before. */
export interface ExternalPlan {
  readonly keyId: string
  /** Absolute: the file that holds its key, base64url. */
  readonly keyFile: string
}

export interface AcmeServerPlan {
  /** Of its directory. */
  readonly url: string
  /** Null: anybody may make one. */
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
  /** `file:/folder`, `redis://…` or `etcd://…`. */
  readonly store: string
  /** Others may use it, too. */
  readonly shared: boolean
  /** A file with certificates that are trusted when CAs are asked; '' for the system's. */
  readonly trust: string
  /** A program and its arguments that writes DNS records; empty: there is none. */
  readonly dnsHook: readonly string[]
  /** Folder of our own authority. */
  readonly authority: string
}
