/** Challenges in a server thread, and locks that are kept: what has bounds and ends in time. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type ProofQuestion, Proofs } from '../../src/acme/proofs.ts'
import { keepLease, LEASE_MS } from '../../src/acme/store.ts'
import type { Exchange } from '../../src/request/exchange.ts'

const PATH = '/.well-known/acme-challenge/'
const TOKEN = 'A'.repeat(43)

function visit(path: string, method = 'GET') {
  const said: string[] = []
  const exchange = {
    line: { path, method },
    gone: false,
    respond: (_head: unknown, body: Uint8Array) => said.push(Buffer.from(body).toString()),
  } as unknown as Exchange
  return { exchange, said, pass: () => said.push('passed on') }
}

describe('proofs', () => {
  const asked: ProofQuestion[] = []
  let proofs: Proofs
  beforeEach(() => {
    asked.splice(0)
    proofs = new Proofs((question) => asked.push(question))
  })

  test('a visit is what looks like one', () => {
    const isVisit = (path: string, method = 'GET'): boolean =>
      proofs.isVisit(visit(path, method).exchange.line)
    expect([isVisit(PATH + TOKEN), isVisit(PATH + TOKEN, 'HEAD')]).toEqual([true, true])
    expect([isVisit('/'), isVisit(PATH + TOKEN, 'POST')]).toEqual([false, false])
    for (const token of ['', 'short', `${TOKEN}/x`, `${'A'.repeat(20)}%2e`, 'A'.repeat(300)]) {
      const { exchange, pass } = visit(PATH + token)
      expect(proofs.takes(exchange, pass)).toBe(false)
    }
    expect(asked).toEqual([])
  })

  test('an answer is given; what nobody knows goes on, and so does what is asked in vain', () => {
    const visits = [1, 2, 3].map(() => visit(PATH + TOKEN))
    for (const { exchange, pass } of visits) expect(proofs.takes(exchange, pass)).toBe(true)
    expect(asked.map(({ kind, about }) => [kind, about])).toEqual(Array(3).fill(['http', TOKEN]))
    proofs.told(asked[0]!.ask, `${TOKEN}.print`)
    proofs.told(asked[1]!.ask, null)
    proofs.told(9_999, 'of nobody')
    proofs.check(performance.now() + 1_000)
    expect(visits.map(({ said }) => said)).toEqual([[`${TOKEN}.print`], ['passed on'], []])
    proofs.check(performance.now() + 6_000)
    expect(visits[2]!.said).toEqual(['passed on'])
  })

  test('a crowd of strangers waits for nothing, and keeps nobody from a certificate on demand', () => {
    const takes = Array.from({ length: 100 }, () => {
      const { exchange, pass } = visit(PATH + TOKEN)
      return proofs.takes(exchange, pass)
    })
    expect(takes.filter(Boolean).length).toBe(64)
    void proofs.demand('www.example.com')
    expect(asked.at(-1)).toMatchObject({ kind: 'demand', about: 'www.example.com' })
  })

  test('who has left hears nothing', () => {
    const { exchange, said, pass } = visit(PATH + TOKEN)
    proofs.takes(exchange, pass)
    Object.assign(exchange, { gone: true })
    proofs.told(asked[0]!.ask, null)
    expect(said).toEqual([])
  })

  test('a certificate that is garbage is an error, none is none', async () => {
    const garbage = proofs.choice('www.example.com')
    proofs.told(asked[0]!.ask, { from: 'x', cert: 'x', key: 'y' })
    await expect(garbage).rejects.toThrow()
    const none = proofs.choice('www.example.com')
    proofs.told(asked[1]!.ask, null)
    expect(await none).toBeNull()
  })
})

describe('a lease', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }))
  afterEach(() => vi.useRealTimers())

  test('is renewed in time, until it is given back', async () => {
    let renewed = 0
    const released = vi.fn(async () => {})
    const lease = keepLease(async () => ++renewed > 0, released)
    await vi.advanceTimersByTimeAsync(LEASE_MS * 10)
    expect([renewed, lease.lost.aborted]).toEqual([30, false])
    await lease.release()
    await vi.advanceTimersByTimeAsync(LEASE_MS)
    expect(renewed).toBe(30)
    expect(released).toHaveBeenCalledOnce()
  })

  test('that somebody else has is lost at once, and is not taken from them', async () => {
    const released = vi.fn(async () => {})
    const lease = keepLease(async () => false, released)
    await vi.advanceTimersByTimeAsync(LEASE_MS / 2)
    expect(lease.lost.aborted).toBe(true)
    await lease.release()
    expect(released).not.toHaveBeenCalled()
  })

  test('whose store is away is lost when others may have it, not before', async () => {
    const renew = async (): Promise<boolean> => {
      throw new Error('away')
    }
    const lease = keepLease(renew, async () => {})
    await vi.advanceTimersByTimeAsync(LEASE_MS * 0.9)
    expect(lease.lost.aborted).toBe(false)
    await vi.advanceTimersByTimeAsync(LEASE_MS * 0.2)
    expect(lease.lost.aborted).toBe(true)
  })
})
