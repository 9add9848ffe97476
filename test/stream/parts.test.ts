import { describe, expect, it } from 'vitest'
import { StreamCounts } from '../../src/stream/counts.ts'
import { addStreams, endedStreams } from '../../src/stream/details.ts'
import { asObject, asRequest, asStatus, type ConnectionLine } from '../../src/stream/log-line.ts'
import { Names } from '../../src/stream/names.ts'
import { Places } from '../../src/stream/places.ts'

describe('names', () => {
  const names = new Names([
    ['www.example.com', 1],
    ['*.example.com', 2],
    ['*.a.example.com', 3],
  ])

  it.each([
    ['www.example.com', 1],
    ['shop.example.com', 2],
    ['b.a.example.com', 3],
    ['c.b.a.example.com', 3],
    ['example.com', undefined],
    ['wwwexample.com', undefined],
    ['', undefined],
  ])('%s', (name, value) => expect(names.find(name)).toBe(value))
})

describe('places', () => {
  it('know who is there, whoever goes', () => {
    const places = new Places<{ place: number; name: string }>()
    const all = ['a', 'b', 'c', 'd'].map((name) => ({ place: 0, name }))
    for (const one of all) places.add(one)
    places.remove(all[1]!)
    places.remove(all[3]!)
    const seen: string[] = []
    places.each((one) => {
      seen.push(one.name)
      places.remove(one)
    })
    expect(seen.toSorted()).toEqual(['a', 'c'])
    expect(places.size).toBe(0)
  })
})

describe('counts', () => {
  it('are each thread’s, and what is open is everybody’s', () => {
    const memory = StreamCounts.allocate(2, 2)
    const [one, other] = [0, 1].map((thread) => new StreamCounts(memory, 1, thread, 2))
    expect(one!.open(2)).toBe(true)
    expect(other!.open(2)).toBe(true)
    expect(one!.open(2)).toBe(false)
    other!.closed()
    expect(one!.open(2)).toBe(true)
    one!.received(5)
    other!.received(6)
    other!.sent(7)
    other!.failed()
    expect(StreamCounts.read(memory, 1, 2)).toEqual({
      open: 2,
      accepted: 3,
      refused: 1,
      failed: 1,
      received: 11,
      sent: 7,
    })
    expect(StreamCounts.read(memory, 0, 2).accepted).toBe(0)
  })

  it('add up over generations', () => {
    const numbers = { open: 1, accepted: 2, refused: 3, failed: 4, received: 5, sent: 6 }
    const one = [{ listener: 'tcp://:1', protocol: 'tcp', ...numbers }]
    expect(addStreams(one, one)).toMatchObject([
      { open: 2, accepted: 4, refused: 6, failed: 8, received: 10, sent: 12 },
    ])
    expect(endedStreams(one)).toMatchObject([{ open: 0, accepted: 2 }])
  })
})

describe('log', () => {
  const line: ConnectionLine = {
    protocol: 'tcp',
    listener: 'tcp://:1',
    address: '192.0.2.1',
    server: '10.0.0.1:1',
    received: 1,
    sent: 2,
    ms: 1.23456,
    end: 'done',
  }

  it('as JSON and as text', () => {
    expect(asObject(line)).toEqual({
      address: '192.0.2.1',
      protocol: 'tcp',
      listener: 'tcp://:1',
      server: '10.0.0.1:1',
      received: 1,
      sent: 2,
      ms: 1.235,
      end: 'done',
    })
    expect(asRequest({ ...line, serverName: 'a.test' })).toBe('TCP tcp://:1 a.test 10.0.0.1:1 done')
    expect(asRequest({ ...line, server: '', end: 'unreachable' })).toBe(
      'TCP tcp://:1 - unreachable',
    )
  })

  it('with nginx’s statuses', () => {
    expect(
      ['done', 'unreachable', 'unknown', 'denied', 'client-idle'].map((end) =>
        asStatus({ ...line, end }),
      ),
    ).toEqual([200, 502, 400, 403, 200])
  })
})
