/** Figures of handshakes, and of certificates that are served. */
import type { HandshakeNumbers } from '../../request/counters.ts'
import { counter, gauge, type Metric, type Of, type PlainMetric } from '../metric.ts'

/** Nothing where there is no TLS. */
function ofHandshakes(value: Of<HandshakeNumbers, number>): PlainMetric['read'] {
  return ({ totals: { tls } }) => (tls === undefined ? [] : [{ labels: [], value: value(tls) }])
}

export const TLS: readonly Metric[] = [
  counter(
    'tls_handshakes',
    'tls.handshakes',
    'Handshakes of TLS that ended well.',
    [],
    ofHandshakes(({ handshakes }) => handshakes),
  ),
  counter(
    'tls_handshakes_resumed',
    'tls.handshakes_resumed',
    'And of these, those that resumed a session.',
    [],
    ofHandshakes(({ resumed }) => resumed),
  ),
  counter(
    'tls_handshakes_failed',
    'tls.handshakes_failed',
    'Connections that had no handshake in the end: what came was no TLS, or not in time, or nobody could agree.',
    [],
    ofHandshakes(({ failed }) => failed),
  ),
  gauge(
    'tls_certificate_ends_seconds',
    'tls.certificate.{from}.ends',
    'When a certificate that is served expires, since 1970.',
    ['from'],
    ({ certificates = [] }) =>
      certificates.map(({ from, expires }) => ({
        labels: [from],
        value: Math.floor(Date.parse(expires) / 1000),
      })),
  ),
]
