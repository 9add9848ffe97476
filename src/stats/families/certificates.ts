/** Figures of automatic certificates. */
import type { CertificateStatus } from '../../acme/status.ts'
import { gauge, type Metric, type Of, type PlainMetric } from '../metric.ts'

function perName(value: Of<CertificateStatus, number>): PlainMetric['read'] {
  return ({ automatic }) =>
    automatic.flatMap((one) => one.names.map((name) => ({ labels: [name], value: value(one) })))
}

export const CERTIFICATES: readonly Metric[] = [
  gauge(
    'certificate_ends_seconds',
    'certificate.{name}.ends',
    'When the automatic certificate of a name ends, since 1970; 0: there is none.',
    ['name'],
    perName(({ expires }) => Math.floor(expires / 1000)),
  ),
  gauge(
    'certificate_failures',
    'certificate.{name}.failures',
    'Attempts in a row that gave no certificate.',
    ['name'],
    perName(({ failures }) => failures),
  ),
]
