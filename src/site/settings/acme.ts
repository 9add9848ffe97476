/** Automatic certificates: `tls.automatic` and `tls.acme`. */
import { z } from 'zod'
import { CHALLENGES, KEY_TYPES, type KeyType } from '../acme-plan.ts'
import {
  type Choice,
  type Count,
  choice,
  count,
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

const external = {
  'key-id': requiredText('The id that the CA has given.', 'an id') as RequiredText,
  'key-file': requiredText(
    'A file with the key that the CA has given (base64url), which only its owner may read.',
    'a file',
  ) as RequiredText,
}

const onDemand = {
  ask: text(
    '',
    'An address that is asked with `?domain=NAME` whether a name may have a certificate: 200 means yes. Without it nobody but `names` gets one, or strangers could use up what CAs allow you.',
    'http://127.0.0.1:9000/may-have',
  ) as Text,
  most: count(1_000, 1, 100_000, 'Most names that get one in this way.') as Count,
}

type External = z.ZodPrefault<z.ZodRecord<z.ZodString, Mapping<typeof external>>>

const acme = {
  email: text(
    '',
    'Where a CA may write to about certificates that end.',
    'an email address',
    /^$|^[^@\s]+@[^@\s]+$/,
  ) as Text,
  server: texts(
    ['letsencrypt'],
    'The CA, or several: the next one is asked when one gives no certificate. `letsencrypt`, `letsencrypt-staging` (for trying things out: no browser trusts it, and its limits are wide), `zerossl`, `google`, `sslcom`, or the address of an ACME directory.',
    'letsencrypt, or https://ca.example.com/directory',
  ) as Texts,
  'terms-agreed': flag(
    true,
    'You agree to the terms of service of the CA. Without that there is no certificate.',
  ) as Flag,
  challenge: texts(
    [],
    `How a CA is shown that a name is yours: ${CHALLENGES.join(', ')}, the first that works. Default: dns-01 where \`dns-hook\` is set, else http-01 where visitors come without TLS, and tls-alpn-01.`,
    CHALLENGES.join(', '),
    new RegExp(`^(${CHALLENGES.join('|')})$`),
  ) as Texts,
  'dns-hook': texts(
    [],
    'A program and its arguments that writes DNS records, for dns-01 and for wildcards. It is run with `present` or `remove`, the name, the record (`_acme-challenge.example.com`) and its value; CERTBOT_DOMAIN and CERTBOT_VALIDATION are set as well. It ends when all name servers answer with it.',
    'a program and its arguments',
  ) as Texts,
  'key-type': choice('p256', KEY_TYPES, 'The kind of key.') as Choice<KeyType>,
  names: texts(
    [],
    'For which names. Default: all of `hosts` that are no wildcard, wildcards as well where there is a `dns-hook`.',
    'a host name',
  ) as Texts,
  store: text(
    '',
    'Where certificates, their keys and accounts are kept: a folder, `redis://host:6379/0` or `etcd://host:2379,host:2379/prefix`; `rediss://` and `etcds://` over TLS. Machines with the same store share all of it: one orders, the others have the certificate in seconds, and each answers for all. Default: a folder in `state`.',
    'a folder, redis://host:6379/0 or etcd://host:2379',
  ) as Text,
  trust: text(
    '',
    'A file with the certificates (PEM) that are trusted when the CA is asked, for a CA of your own. Default: the system’s.',
    'a file',
  ) as Text,
  'on-demand': section(
    onDemand,
    'Certificates for names that are not in the site file, obtained when the first visitor comes, who waits for it.',
  ) as Section<typeof onDemand>,
  'external-account': z
    .record(z.string(), mapping(external), { error: 'a mapping of CAs to key-id and key-file' })
    .prefault({})
    .register(z.globalRegistry, {
      description:
        'Accounts that CAs have given out before (external account binding), by what is in `server`: `{ zerossl: { key-id: abc, key-file: ./zerossl.key } }`.',
    }) as External,
}

export type Automatic = z.ZodOptional<z.ZodType<boolean | 'local', boolean | string>>

export function automaticType(): Automatic {
  const error = 'true, false or local'
  return z
    .union([z.boolean(), z.enum(['true', 'false', 'local'])], { error })
    .transform((value): boolean | 'local' => (value === 'local' ? value : String(value) === 'true'))
    .register(z.globalRegistry, { title: 'true, false or local' })
    .optional()
    .register(z.globalRegistry, {
      description:
        'Obtain certificates, and renew them: public names from a CA (`acme`), local ones (localhost, *.local, *.internal, names without a dot, IP addresses) from an authority of the site’s own, whose root certificate `portico ca` shows. `local`: all from that. Default: true where a listener speaks TLS and no `certificate` is set.',
    })
}

export type AcmeType = Section<typeof acme>
export type AcmeSettings = z.output<AcmeType>

export function acmeType(): AcmeType {
  return section(acme, 'How certificates are obtained from a CA.')
}
