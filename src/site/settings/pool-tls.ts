/** `pools.NAME.tls`: TLS to its servers. */
import type { z } from 'zod'
import {
  type Choice,
  choice,
  type Flag,
  flag,
  type Section,
  section,
  type Text,
  type Texts,
  text,
  texts,
} from '../setting-types.ts'

export type MinVersion = '1.0' | '1.1' | '1.2' | '1.3'

const poolTls = {
  verify: flag(
    true,
    'The server’s certificate has to be valid, for its name, and signed by a CA that is trusted. False: anybody who can answer at its address is believed, and a warning says so.',
  ) as Flag,
  ca: text(
    '',
    'PEM file of the CAs that sign the servers’ certificates, in place of the machine’s. A certificate that is signed by itself goes here.',
    'a file',
  ) as Text,
  'server-name': text(
    '',
    'The name that is asked for (SNI) and that the certificate has to be for. `$host`: the visitor’s Host; `$proxy_host`: the host of the server’s address. By default the former with `preserve-host`, the latter without.',
    'a host name, $host or $proxy_host',
    /^(\$host|\$proxy_host|[A-Za-z0-9_*]([A-Za-z0-9_.:-]*[A-Za-z0-9_])?)?$/,
  ) as Text,
  certificate: text(
    '',
    'PEM file of the certificate that is shown to servers that ask for one, with those between it and its CA.',
    'a file',
  ) as Text,
  key: text('', 'PEM file of its private key.', 'a file') as Text,
  'min-version': choice(
    '1.2',
    ['1.0', '1.1', '1.2', '1.3'],
    'The oldest version of TLS that is spoken. 1.0 and 1.1 (RFC 8996: no longer to be used) weaken what is signed, too.',
  ) as Choice<MinVersion>,
  alpn: texts(
    ['http/1.1'],
    'Protocols that are offered (ALPN), best first; an empty list: none.',
    'the name of a protocol, such as http/1.1',
    /^[\x21-\x7e]{1,255}$/,
  ) as Texts,
}

export type PoolTls = Section<typeof poolTls>
export type PoolTlsSettings = z.output<PoolTls>

export function poolTlsSection(): PoolTls {
  return section(poolTls, 'TLS to the pool’s `https://` servers.')
}
