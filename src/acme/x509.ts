/** Certificates and requests for them: X.509 (RFC 5280), PKCS #10 (RFC 2986). */
import {
  createHash,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto'
import { isIP } from 'node:net'
import { promisify } from 'node:util'
import type { KeyType } from '../site/acme-plan.ts'
import {
  bits,
  context,
  implicit,
  integer,
  nothing,
  octets,
  oid,
  sequence,
  set,
  time,
  utf8,
  values,
  yes,
} from './der.ts'

const Oid = {
  COMMON_NAME: '2.5.4.3',
  KEY_ID: '2.5.29.14',
  KEY_USAGE: '2.5.29.15',
  NAMES: '2.5.29.17',
  CONSTRAINTS: '2.5.29.19',
  ISSUER_KEY_ID: '2.5.29.35',
  PURPOSES: '2.5.29.37',
  SERVER: '1.3.6.1.5.5.7.3.1',
  ACME: '1.3.6.1.5.5.7.1.31',
  REQUESTED: '1.2.840.113549.1.9.14',
  RSA_SHA256: '1.2.840.113549.1.1.11',
  ECDSA_SHA256: '1.2.840.10045.4.3.2',
  ECDSA_SHA384: '1.2.840.10045.4.3.3',
} as const

/** An authority, or a certificate that signs itself. */
export interface Issuer {
  readonly name: string
  readonly key: KeyObject
}

export interface CertificateOrder {
  /** DNS names and IP addresses. */
  readonly names: readonly string[]
  /** '' for none: browsers look at `names`. */
  readonly subject: string
  readonly publicKey: KeyObject
  readonly from: Date
  readonly to: Date
  /** What kind of certificate. */
  readonly use: 'server' | 'authority'
  /** Of a tls-alpn-01 challenge: what RFC 8737 wants in it. */
  readonly proof?: Uint8Array
}

const generate = promisify(generateKeyPair)

export async function newKey(type: KeyType): Promise<KeyObject> {
  if (type === 'p256') return (await generate('ec', { namedCurve: 'P-256' })).privateKey
  if (type === 'p384') return (await generate('ec', { namedCurve: 'P-384' })).privateKey
  const modulusLength = type === 'rsa2048' ? 2048 : 4096
  return (await generate('rsa', { modulusLength })).privateKey
}

export function keyPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }) as string
}

/** The certificate as PEM. */
export function issue(order: CertificateOrder, issuer: Issuer): string {
  const isAuthority = order.use === 'authority'
  const extensions = [
    ...(order.names.length === 0
      ? []
      : [extension(Oid.NAMES, namesOf(order.names), order.subject === '')]),
    extension(Oid.CONSTRAINTS, isAuthority ? sequence(yes(), integer(0)) : sequence(), true),
    // keyCertSign and cRLSign; digitalSignature.
    extension(
      Oid.KEY_USAGE,
      isAuthority ? bits(Buffer.of(0x06), 1) : bits(Buffer.of(0x80), 7),
      true,
    ),
    ...(isAuthority ? [] : [extension(Oid.PURPOSES, sequence(oid(Oid.SERVER)))]),
    extension(Oid.KEY_ID, octets(keyId(order.publicKey))),
    extension(Oid.ISSUER_KEY_ID, sequence(implicit(0, keyId(issuer.key)))),
    ...(order.proof === undefined ? [] : [extension(Oid.ACME, octets(order.proof), true)]),
  ]
  const toSign = sequence(
    context(0, integer(2)),
    // RFC 5280 §4.1.2.2: positive, at most 20 bytes.
    integer(Buffer.concat([Buffer.of(0x40), randomBytes(15)])),
    algorithm(issuer.key),
    called(issuer.name),
    sequence(time(order.from), time(order.to)),
    called(order.subject),
    order.publicKey.export({ type: 'spki', format: 'der' }),
    context(3, sequence(...extensions)),
  )
  return pem('CERTIFICATE', signed(toSign, issuer.key))
}

/** What a CA is asked with, as DER. */
export function request(names: readonly string[], key: KeyObject): Buffer {
  const extensions = sequence(extension(Oid.NAMES, namesOf(names)))
  const info = sequence(
    integer(0),
    called(''),
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    context(0, sequence(oid(Oid.REQUESTED), set(extensions))),
  )
  return signed(info, key)
}

/**
 * A certificate's key by its issuer's name for it; null where it does not say. Throws for what is no
 * certificate.
 */
export function issuerKeyId(certificate: Uint8Array): Buffer | null {
  const [toSign] = values(values(certificate)[0]!.body)
  const extensions = values(toSign!.body).find(({ tag }) => tag === 0xa3)
  if (extensions === undefined) return null
  const wanted = oid(Oid.ISSUER_KEY_ID).subarray(2)
  for (const { body } of values(values(extensions.body)[0]!.body)) {
    const [id, ...rest] = values(body)
    if (id?.body.equals(wanted) !== true) continue
    const inner = values(rest.at(-1)!.body)[0]!
    return values(inner.body).find(({ tag }) => tag === 0x80)?.body ?? null
  }
  return null
}

function extension(id: string, value: Uint8Array, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [yes()] : []), octets(value))
}

function namesOf(names: readonly string[]): Buffer {
  return sequence(
    ...names.map((name) =>
      isIP(name) === 0 ? implicit(2, Buffer.from(name, 'ascii')) : implicit(7, addressBytes(name)),
    ),
  )
}

/** Of an IP address, as sockets have it. */
export function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number))
  const [, v4 = ''] = /(\d+\.\d+\.\d+\.\d+)$/.exec(address) ?? []
  const tail =
    v4 === ''
      ? ''
      : addressBytes(v4)
          .toString('hex')
          .replace(/^(.{4})/, '$1:')
  const text = v4 === '' ? address : address.slice(0, -v4.length) + tail
  const [head = '', rest] = text.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = rest === undefined || rest === '' ? [] : rest.split(':')
  const middle = new Array<string>(8 - left.length - right.length).fill('0')
  const words = [...left, ...middle, ...right]
  return Buffer.from(words.map((word) => word.padStart(4, '0')).join(''), 'hex')
}

function called(name: string): Buffer {
  return name === '' ? sequence() : sequence(set(sequence(oid(Oid.COMMON_NAME), utf8(name))))
}

/** RFC 5280 §4.2.1.2, method 1. */
function keyId(key: KeyObject): Buffer {
  const open = key.type === 'private' ? createPublicKey(key) : key
  const [, encoded] = values(values(open.export({ type: 'spki', format: 'der' }))[0]!.body)
  return createHash('sha1').update(encoded!.body.subarray(1)).digest()
}

function isP384(key: KeyObject): boolean {
  return key.asymmetricKeyDetails?.namedCurve === 'secp384r1'
}

function algorithm(key: KeyObject): Buffer {
  if (key.asymmetricKeyType === 'rsa') return sequence(oid(Oid.RSA_SHA256), nothing())
  return sequence(oid(isP384(key) ? Oid.ECDSA_SHA384 : Oid.ECDSA_SHA256))
}

function signed(toSign: Buffer, key: KeyObject): Buffer {
  const signature = sign(isP384(key) ? 'sha384' : 'sha256', toSign, key)
  return sequence(toSign, algorithm(key), bits(signature))
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').replace(/.{64}(?=.)/g, '$&\n')
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}
