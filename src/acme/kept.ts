/** A certificate as it is kept: PEM with its key, which other programs can read, and where it is from. */
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { readCertificate } from '../tls/read-certificate.ts'
import type { Life } from './due.ts'
import { issuerKeyId } from './x509.ts'

export interface Kept extends Life {
  /** Of the CA's directory. */
  readonly server: string
  readonly chain: string
  readonly key: string
  readonly issuer: string
  readonly fingerprint: string
  /** By which the CA knows it (RFC 9773 §4.1); '' where it has none. */
  readonly id: string
}

const SERVER = /^Obtained from (\S+)$/m
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g
const KEY = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n?/

export function writeKept(server: string, chain: string, key: string): string {
  return `Obtained from ${server}\n${key}${chain}`
}

/** Throws where it is none, or not for `name`. */
export function readKept(text: string, name: string): Kept {
  const [, server = ''] = SERVER.exec(text) ?? []
  const [key] = KEY.exec(text) ?? []
  const chain = text.match(CERTIFICATE) ?? []
  const [first] = chain
  if (key === undefined || first === undefined) throw new Error('no certificate with its key')
  const leaf = new X509Certificate(first)
  // One that cannot be served must not stand in the way of the others.
  readCertificate({ from: name, cert: chain.join(''), key })
  if (!covers(leaf, name)) throw new Error(`a certificate for ${leaf.subjectAltName}`)
  return {
    server,
    chain: chain.join(''),
    key,
    issuer: commonName(leaf.issuer),
    fingerprint: leaf.fingerprint256,
    notBefore: Date.parse(leaf.validFrom),
    notAfter: Date.parse(leaf.validTo),
    id: certificateId(leaf),
  }
}

function covers(leaf: X509Certificate, name: string): boolean {
  const names = (leaf.subjectAltName ?? '').split(', ')
  return isIP(name) === 0 ? names.includes(`DNS:${name}`) : leaf.checkIP(name) !== undefined
}

function certificateId(leaf: X509Certificate): string {
  const authority = issuerKeyId(leaf.raw)
  if (authority === null) return ''
  const digits = leaf.serialNumber
  const serial = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex')
  // As DER has it: positive.
  const der = serial[0]! >= 0x80 ? Buffer.concat([Buffer.alloc(1), serial]) : serial
  return `${authority.toString('base64url')}.${der.toString('base64url')}`
}

function commonName(name: string): string {
  return /^CN=(.*)$/m.exec(name)?.[1] ?? name.replaceAll('\n', ', ')
}
