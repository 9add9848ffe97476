/** What is told of a site's automatic certificates. Times are ms since 1970, 0 for none. */

export interface CertificateStatus {
  readonly names: readonly string[]
  /** The directory of the CA, `local` for our own authority; '' for none or unknown. */
  readonly source: string
  readonly issuer: string
  readonly from: number
  readonly expires: number
  /** When it is renewed, or obtained. */
  readonly renewal: number
  /** Where it is kept. */
  readonly store: string
  readonly state: 'kept' | 'ordering' | 'missing'
  readonly trouble: { readonly message: string; readonly at: number } | null
  /** In a row. */
  readonly failures: number
}
