/** `tls`: TLS towards visitors, of the whole site or of one listener. */
import { z } from 'zod'
import {
  type Choice,
  type Count,
  choice,
  count,
  type Duration,
  duration,
  durationOrZero,
  type Flag,
  flag,
  type Mapping,
  mapping,
  type RequiredText,
  requiredText,
  type Section,
  section,
  type Text,
  type Texts,
  text,
  texts,
} from '../setting-types.ts'
import type { TlsVersion } from '../tls-plan.ts'
import { type AcmeType, type Automatic, acmeType, automaticType } from './acme.ts'

/** Mozilla's intermediate configuration, without DHE, which no browser of its list needs. */
export const CIPHERS: string = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')

/** The first is safe from whoever records now and has a quantum computer later. */
export const GROUPS = 'X25519MLKEM768:X25519:prime256v1:secp384r1'

const OPENSSL_LIST = /^[A-Za-z0-9_+:!@=.,?*/-]*$/

const certificate = {
  cert: requiredText(
    'PEM file of the certificate, with those between it and its authority behind it; the key may be in it, too. Or a folder with `fullchain.pem` and `privkey.pem`, or `tls.crt` and `tls.key`; or a pattern for either.',
    'a file or a folder',
  ) as RequiredText,
  key: text(
    '',
    'PEM file of its private key. Default: in the same file or beside it.',
    'a file',
  ) as Text,
  ocsp: text(
    '',
    'A file with an OCSP response in DER, which is given with the certificate (stapled). It is read anew when it changes; fetching it is for a cron job.',
    'a file',
  ) as Text,
}

type Certificate = z.ZodUnion<readonly [z.ZodString, Mapping<typeof certificate>]>
type Certificates = z.ZodPrefault<z.ZodUnion<readonly [Certificate, z.ZodArray<Certificate>]>>

function certificates(): Certificates {
  const error = 'a file, a folder or { cert, key }, or a list of them'
  const one: Certificate = z.union([z.string(), mapping(certificate)], { error })
  return z
    .union([one, z.array(one, { error })], { error })
    .register(z.globalRegistry, { title: 'certificate or list' })
    .prefault([])
    .register(z.globalRegistry, {
      description:
        'Certificates with their keys: `/etc/letsencrypt/live/*/`, `{ cert: a.pem, key: a.key }`, or a list. Which one a visitor gets, its names decide; who wants another name gets the first. They are read as the user who starts the site, and again when they change.',
    })
}

export type CertificateSettings = z.output<Certificate>

type Version = z.ZodPrefault<z.ZodType<TlsVersion, string | number>>

const VERSIONS: Readonly<Record<string, TlsVersion>> = {
  '1': 'TLSv1',
  '1.0': 'TLSv1',
  '1.1': 'TLSv1.1',
  '1.2': 'TLSv1.2',
  '1.3': 'TLSv1.3',
}

/** YAML has 1.2 as a number. */
function version(preset: string, sentence: string): Version {
  const error = 'one of 1.0, 1.1, 1.2, 1.3'
  return z
    .union([z.string(), z.number()], { error })
    .transform((input, context): TlsVersion => {
      const known = VERSIONS[String(input).replace(/^TLSv/i, '')]
      if (known !== undefined) return known
      context.issues.push({ code: 'custom', message: error, input })
      return z.NEVER
    })
    .register(z.globalRegistry, { title: 'one of', enum: ['1.0', '1.1', '1.2', '1.3'] })
    .prefault(preset)
    .register(z.globalRegistry, { description: sentence })
}

const clients = {
  ca: requiredText(
    'PEM file of the authorities whose certificates are good.',
    'a file',
  ) as RequiredText,
  mode: choice(
    'require',
    ['require', 'optional'],
    '`require`: a request without a good certificate is answered with 400. `optional`: only routes with `client-certificate: true` need one (403), and applications are told (SSL_CLIENT_VERIFY).',
  ) as Choice<'require' | 'optional'>,
  depth: count(
    3,
    0,
    100,
    'Most certificates between a visitor’s and its authority’s own.',
  ) as Count,
  crl: text('', 'PEM file of what the authorities have revoked.', 'a file') as Text,
}

type Clients = z.ZodOptional<Mapping<typeof clients>>

const common = {
  certificates: certificates() as Certificates,
  'min-version': version('1.2', 'The oldest version of TLS that is spoken.') as Version,
  'max-version': version('1.3', 'The newest.') as Version,
  ciphers: text(
    CIPHERS,
    'Ciphers as OpenSSL lists them, those of TLS 1.3 among them. Default: Mozilla’s intermediate list.',
    'names of ciphers with colons between',
    OPENSSL_LIST,
  ) as Text,
  groups: text(
    GROUPS,
    'Groups (curves) for key exchange, the dearest first.',
    'names of groups with colons between',
    OPENSSL_LIST,
  ) as Text,
  signatures: text(
    '',
    'Signature algorithms as OpenSSL lists them. Default: OpenSSL’s.',
    'names of algorithms with colons between',
    OPENSSL_LIST,
  ) as Text,
  'prefer-server-ciphers': flag(
    false,
    'Our order of ciphers decides, not the visitor’s, who knows what its processor is good at.',
  ) as Flag,
  'strict-names': flag(
    false,
    'Who asks for a name that no certificate is made out for, or for none at all, is refused. Otherwise the first certificate is theirs.',
  ) as Flag,
  'session-timeout': durationOrZero(
    '1d',
    'How long visitors can resume a session, which saves them a round trip and us the dear part of a handshake; 0: never.',
  ) as Duration,
  'handshake-timeout': duration(
    '15s',
    'From the first byte to the end of the handshake.',
  ) as Duration,
  handshakes: count(
    1_000,
    1,
    1_000_000,
    'Handshakes at a time, in each server thread; others wait.',
  ) as Count,
  'client-certificates': mapping(clients).optional().register(z.globalRegistry, {
    description: 'Ask visitors for certificates: `{ ca: staff.pem, mode: require }`.',
  }) as Clients,
}

const tickets = {
  rotate: duration(
    '12h',
    'How often new keys for session tickets are made. The two before still open what they closed.',
  ) as Duration,
  keys: texts(
    [],
    'Files to make the keys from, the newest first, for machines that share their visitors: `openssl rand -out tickets.key 80`. They are read anew when they change, and `rotate` is without effect.',
    'a file',
  ) as Texts,
}

const hsts = {
  'max-age': durationOrZero(
    '365d',
    'How long browsers are to come with TLS only; 0 takes it back.',
    3650 * 86_400_000,
  ) as Duration,
  'include-subdomains': flag(false, 'And to every name below this one.') as Flag,
  preload: flag(false, 'And agree to be in browsers’ own lists, which is hard to undo.') as Flag,
}

type Hsts = z.ZodPrefault<z.ZodUnion<readonly [z.ZodBoolean, Mapping<typeof hsts>]>>

const ofSite = {
  automatic: automaticType() as Automatic,
  acme: acmeType() as AcmeType,
  tickets: section(tickets, 'Keys of session tickets, which all threads share.') as Section<
    typeof tickets
  >,
  redirect: flag(
    false,
    'Send who comes without TLS to the same place with it (308; 301 for GET and HEAD), but for `health` routes and what CAs come to see.',
  ) as Flag,
  hsts: z
    .union([z.boolean(), mapping(hsts)], { error: 'true, false, or { max-age: 365d }' })
    .prefault(false)
    .register(z.globalRegistry, {
      title: 'true or mapping',
      description:
        'Strict-Transport-Security: browsers that came once with TLS come back with nothing else. `true`: for a year.',
    }) as Hsts,
}

export type SiteTls = Section<typeof common & typeof ofSite>
export type SiteTlsSettings = z.output<SiteTls>
export type HstsSettings = z.output<Mapping<typeof hsts>>
export type ListenerTls = z.ZodOptional<Mapping<typeof common>>
export type ListenerTlsSettings = z.output<Mapping<typeof common>>

export function siteTls(): SiteTls {
  return section(
    { ...common, ...ofSite },
    'TLS towards visitors, for `https://` listeners: see [tls.md](tls.md).',
  )
}

export function listenerTls(): ListenerTls {
  return mapping(common).optional().register(z.globalRegistry, {
    description: 'Of `https://`: what is different from the site’s `tls` here.',
  })
}
