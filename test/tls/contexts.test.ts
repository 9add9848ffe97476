/** Contexts of certificates: made once, and gone with what they were made of. */
import { describe, expect, it } from 'vitest'
import { CIPHERS, GROUPS } from '../../src/site/settings/tls.ts'
import type { TlsPlan } from '../../src/site/tls-plan.ts'
import { ServerTls } from '../../src/tls/server.ts'
import { authority, pair } from './support/certificates.ts'

const PLAN: TlsPlan = {
  set: '',
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers: CIPHERS,
  groups: GROUPS,
  signatures: '',
  preferServerCiphers: false,
  strictNames: false,
  sessionSeconds: 300,
  handshakeMs: 5_000,
  handshakes: 2,
  clients: null,
}
const LISTENER = {
  name: 'test',
  scheme: 'https',
  backlog: 1,
  proxyProtocol: false,
  address: { kind: 'tcp', host: '::', port: 0 },
} as const
const one = { from: 'one', ...pair({ names: ['one.example'] }) }
const two = { from: 'two', ...pair({ names: ['two.example'] }) }
const again = { from: 'one', ...pair({ names: ['one.example'] }) }
const tickets = [Buffer.alloc(48, 1).toString('base64')]
const served = (...pems: (typeof one)[]) => ({ sets: { '': pems }, authorities: {}, tickets })

describe('contexts', () => {
  it('are made once for each certificate, and again when it is replaced', () => {
    const tls = new ServerTls(served(one, two))
    const contexts = tls.contexts({ ...LISTENER, tls: PLAN })!
    const first = contexts.choose('one.example')
    const second = contexts.choose('two.example')
    expect(first).not.toBeNull()
    expect(contexts.choose('one.example')).toBe(first)
    expect(contexts.choose('')).toBe(first)
    expect(contexts.choose('nobody.example')).toBe(first)
    tls.replace(served(again, two))
    expect(contexts.choose('one.example')).not.toBe(first)
    expect(contexts.choose('two.example')).toBe(second)
    tls.replace(served(one, two))
    // Of the first nothing was kept.
    expect(contexts.choose('one.example')).not.toBe(first)
  })

  it('are for nobody where there is none, or names are strict', () => {
    expect(new ServerTls(served()).contexts({ ...LISTENER, tls: PLAN })!.choose('a')).toBeNull()
    const strict = { ...LISTENER, tls: { ...PLAN, strictNames: true } }
    const contexts = new ServerTls(served(one)).contexts(strict)!
    expect(contexts.choose('one.example')).not.toBeNull()
    expect(contexts.choose('two.example')).toBeNull()
    expect(contexts.choose('')).toBeNull()
  })

  it('are made anew when other authorities are trusted', () => {
    const clients = { mode: 'require', ca: '/ca.pem', crl: '', depth: 1 } as const
    const known = { ...served(one), authorities: { '/ca.pem': authority().cert } }
    const tls = new ServerTls(known)
    const contexts = tls.contexts({ ...LISTENER, tls: { ...PLAN, clients } })!
    const first = contexts.choose('one.example')
    tls.replace(known)
    expect(contexts.choose('one.example')).toBe(first)
    tls.replace({ ...known, authorities: { '/ca.pem': authority().cert } })
    expect(contexts.choose('one.example')).not.toBe(first)
  })
})
