import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { networkOf } from '../../src/persistence/network.ts'
import { NOBODY } from '../../src/persistence/persistence.ts'
import { Belongings } from '../../src/persistence/table.ts'

function table(entries = 1000, timeoutS = 60): { table: Belongings; pass(s: number): void } {
  let now = 1000
  const made = new Belongings(Belongings.allocate(entries), timeoutS, () => now)
  return {
    table: made,
    pass: (s) => {
      now += s
    },
  }
}

describe('a table of belongings', () => {
  it('knows whose a visitor is until it was away for the whole time', () => {
    const { table: own, pass } = table()
    expect(own.find('a')).toBe(NOBODY)
    own.put('a', 3)
    own.put('b', 0)
    pass(59)
    expect(own.find('a')).toBe(3)
    pass(59)
    expect([own.find('a'), own.find('b')]).toEqual([3, NOBODY])
    pass(60)
    expect(own.find('a')).toBe(NOBODY)
  })

  it('moves a visitor only from whom it was thought to be with', () => {
    const { table: own, pass } = table()
    expect(own.settle('a', NOBODY, 1)).toBe(1)
    // Another thread thought that it was nobody's.
    expect(own.settle('a', NOBODY, 2)).toBe(1)
    expect(own.settle('a', 1, 2)).toBe(2)
    expect(own.settle('a', 1, 3)).toBe(2)
    pass(61)
    expect(own.settle('a', NOBODY, 0)).toBe(0)
  })

  it('is bounded: who was not seen for longest is forgotten', () => {
    const { table: own, pass } = table(100)
    for (let i = 0; i < 2_000; i++) {
      own.put(`visitor ${i}`, i % 4)
      own.find('faithful')
      own.settle('faithful', NOBODY, 7)
      if (i % 100 === 0) pass(1)
    }
    expect(own.find('faithful')).toBe(7)
    expect(own.find('visitor 0')).toBe(NOBODY)
    expect(own.find('visitor 1999')).toBe(1999 % 4)
    let known = 0
    for (let i = 0; i < 2_000; i++) if (own.find(`visitor ${i}`) !== NOBODY) known++
    expect(known).toBeLessThanOrEqual(308)
    expect(known).toBeGreaterThan(80)
  })

  it('is told to another one, whose servers may be others', () => {
    const key = '0123456789abcdef'
    const before = new Belongings(Belongings.allocate(1000, key), 60, () => 1000)
    for (let i = 0; i < 300; i++) before.put(`visitor ${i}`, i % 3)
    const after = new Belongings(Belongings.allocate(500, key), 60, () => 1030)
    after.put('visitor 0', 7)
    after.put('own', 8)
    // Of three servers the first is gone, and the others have changed places.
    after.take(before.tell(1000), (server) => [-1, 1, 0][server]!)
    let known = 0
    for (let i = 0; i < 300; i++) {
      const whose = after.find(`visitor ${i}`)
      if (i === 0) expect(whose).toBe(7)
      else if (i % 3 === 0) expect(whose).toBe(NOBODY)
      else if (whose !== NOBODY) expect([i, whose]).toEqual([i, i % 3 === 1 ? 1 : 0])
      if (whose !== NOBODY) known++
    }
    expect(known).toBeGreaterThan(195)
    expect(after.find('own')).toBe(8)
    expect(before.tell(10).length).toBe(40)
    // Who is forgotten is not told.
    const late = new Belongings(Belongings.allocate(100, key), 60, () => 1060)
    expect(late.tell(10).length).toBe(0)
    // Another key: nobody is found by chance.
    const stranger = new Belongings(Belongings.allocate(1000), 60, () => 1030)
    stranger.take(before.tell(1000), (server) => server)
    expect(stranger.find('visitor 1')).toBe(NOBODY)
  })

  it('gives a visitor whom two threads send at once to one server', async () => {
    const memory = Belongings.allocate(100_000)
    const code = `
      const { workerData, parentPort } = require('node:worker_threads')
      import(workerData.module).then(({ Belongings }) => {
        const table = new Belongings(workerData.memory, 60)
        Atomics.add(workerData.gate, 0, 1)
        while (Atomics.load(workerData.gate, 0) < 2);
        const whose = []
        for (let i = 0; i < 5000; i++) whose.push(table.settle('visitor ' + i, -1, workerData.server))
        parentPort.postMessage(whose)
      })`
    const gate = new Int32Array(new SharedArrayBuffer(4))
    const module = new URL('../../src/persistence/table.ts', import.meta.url).href
    const all = await Promise.all(
      [0, 1].map(
        (server) =>
          new Promise<number[]>((resolve, reject) => {
            const workerData = { memory, gate, server, module }
            const worker = new Worker(code, { eval: true, workerData })
            worker.on('message', resolve)
            worker.on('error', reject)
          }),
      ),
    )
    expect(all[0]).toEqual(all[1])
    expect(new Set(all[0])).toEqual(new Set([0, 1]))
  })
})

describe('the network of an address', () => {
  it.each([
    ['192.0.2.77', 32, 64, '192.0.2.77'],
    ['192.0.2.77', 24, 64, '192.0.2.0'],
    ['192.0.2.77', 25, 64, '192.0.2.0'],
    ['192.0.2.200', 25, 64, '192.0.2.128'],
    ['192.0.2.77', 1, 64, '128.0.0.0'],
    ['::ffff:192.0.2.77', 24, 64, '192.0.2.0'],
    ['2001:db8:1:2:3:4:5:6', 32, 64, '2001:db8:1:2:0:0:0:0'],
    ['2001:db8::1', 32, 128, '2001:db8:0:0:0:0:0:1'],
    ['2001:db8::1', 32, 48, '2001:db8:0:0:0:0:0:0'],
    ['2001:db8:0:ffff::1', 32, 49, '2001:db8:0:8000:0:0:0:0'],
    ['fe80::1%eth0', 32, 128, 'fe80:0:0:0:0:0:0:1'],
    ['64:ff9b::192.0.2.1', 32, 128, '64:ff9b:0:0:0:0:c000:201'],
    ['', 32, 64, ''],
    ['/run/a.sock', 32, 64, ''],
  ])('%s/%d,%d', (address, mask, maskIpv6, network) => {
    expect(networkOf(address, mask, maskIpv6)).toBe(network)
  })
})
