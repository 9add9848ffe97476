import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NO_STAMP, Stamps } from '../../src/persistence/stamp.ts'

const SECRET = 'sixteen bytes and more'
const SERVERS = ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80']
const LIMITS = { idleS: 600, lifeS: 3600 }

const plain = new Stamps(SECRET, 'pool', SERVERS)
const limited = new Stamps(SECRET, 'pool', SERVERS, LIMITS)

describe('a stamp', () => {
  it('says whose the visitor is, and to nobody else', () => {
    for (const stamps of [plain, limited]) {
      for (const server of [0, 1, 2]) {
        const value = stamps.write(server, 1000, 1000)
        expect(value).toMatch(/^[A-Za-z0-9_-]{20}$|^[A-Za-z0-9_-]{40}$/)
        expect(stamps.read(value, 1000).server).toBe(server)
        expect(Buffer.from(value, 'base64url').toString('latin1')).not.toContain('10.0')
      }
    }
  })

  it('is the same after a restart, on another machine, and with other servers beside', () => {
    const again = new Stamps(Buffer.from(SECRET), 'pool', ['new:80', ...SERVERS])
    expect(again.read(plain.write(1, 0, 0), 0).server).toBe(2)
    const value = new Stamps(SECRET, 'pool', SERVERS, LIMITS).write(1, 5, 5)
    expect(limited.read(value, 5)).toEqual({ server: 1, first: 5, seen: 5 })
    // One that is gone belongs to nobody.
    expect(new Stamps(SECRET, 'pool', SERVERS.slice(0, 1)).read(plain.write(1, 0, 0), 0)).toBe(
      NO_STAMP,
    )
  })

  it('counts for as long as it is brought, and not beyond its life', () => {
    const value = limited.write(2, 1000, 2000)
    expect(limited.read(value, 2600).server).toBe(2)
    expect(limited.read(value, 2601)).toBe(NO_STAMP)
    expect(limited.read(limited.write(2, 1000, 4600), 4600).server).toBe(2)
    expect(limited.read(limited.write(2, 1000, 4601), 4601)).toBe(NO_STAMP)
    expect(limited.isOld(limited.read(value, 2060), 2060)).toBe(false)
    expect(limited.isOld(limited.read(value, 2061), 2061)).toBe(true)
    expect(plain.isOld(plain.read(plain.write(0, 0, 0), 9e9), 9e9)).toBe(false)
  })

  it('of another secret, pool or kind is none', () => {
    for (const [secret, scope] of [
      ['another secret of 16', 'pool'],
      [SECRET, 'other'],
    ] as const) {
      expect(plain.read(new Stamps(secret, scope, SERVERS).write(0, 0, 0), 0)).toBe(NO_STAMP)
      expect(limited.read(new Stamps(secret, scope, SERVERS, LIMITS).write(0, 9, 9), 9)).toBe(
        NO_STAMP,
      )
    }
    expect(plain.read(limited.write(0, 9, 9), 9)).toBe(NO_STAMP)
    expect(limited.read(plain.write(0, 9, 9), 9)).toBe(NO_STAMP)
  })

  it('that was changed anywhere, or made up, is none', () => {
    const real = [plain.write(1, 0, 0), limited.write(1, 1000, 1000)]
    for (const value of real) {
      for (let at = 0; at < value.length; at++) {
        const other = value[at] === 'A' ? 'B' : 'A'
        const forged = value.slice(0, at) + other + value.slice(at + 1)
        for (const stamps of [plain, limited]) expect(stamps.read(forged, 1000)).toBe(NO_STAMP)
      }
    }
    const text = fc.oneof(
      fc.string(),
      fc.stringMatching(/^[A-Za-z0-9_-]{20}$/),
      fc.stringMatching(/^[A-Za-z0-9_-]{40}$/),
    )
    fc.assert(
      fc.property(text, (forged) => {
        for (const stamps of [plain, limited]) expect(stamps.read(forged, 1000)).toBe(NO_STAMP)
      }),
    )
  })
})
