/** What every scheduler keeps to; run over each of them. */
import { describe, expect, it } from 'vitest'
import type { Backend, Key, Scheduler } from '../../src/schedulers/scheduler.ts'
import { parseRequestFields } from '../../src/wire/request-fields.ts'
import { parseRequestLine } from '../../src/wire/request-line.ts'

/** A backend whose state a test sets. */
export type Fake = { -readonly [Name in keyof Backend]: Backend[Name] }

export function backend(name: string, weight = 1, active = 0): Fake {
  return { name, weight, active, ready: true, inactive: 0, latencyMs: 0 }
}

/** A request for `target` by the visitor at `address`. */
export function key(target = '/', address = '192.0.2.1', fields = 'Host: a\r\n', port = 1): Key {
  return {
    line: parseRequestLine(`GET ${target} HTTP/1.1`),
    fields: parseRequestFields(fields, 1, 10),
    peer: { address, port, localAddress: '192.0.2.9', localPort: 80, scheme: 'http' },
  }
}

/** All candidates in order. */
export function names(
  scheduler: Scheduler,
  backends: readonly Backend[],
  of: Key = key(),
): string[] {
  const found: string[] = []
  const candidates = scheduler.order(backends, of)
  for (let next = candidates.next(); !next.done; next = candidates.next())
    found.push(next.value.name)
  return found
}

/** Who would be asked first. */
export function first(scheduler: Scheduler, backends: readonly Backend[], of: Key = key()): string {
  return scheduler.order(backends, of).next().value?.name ?? ''
}

/** `spreads`: many different requests reach every backend, whatever they have in hand. */
export function conforms(title: string, make: () => Scheduler, spreads: boolean): void {
  describe(`the scheduler ${title}`, () => {
    it('yields each backend once', () => {
      const scheduler = make()
      const backends = [backend('a'), backend('b', 5), backend('c', 7, 7)]
      for (let i = 0; i < 20; i++) {
        expect(names(scheduler, backends, key(`/${i}`)).toSorted()).toEqual(['a', 'b', 'c'])
      }
    })

    it('yields nothing of nothing, and the one of one', () => {
      const scheduler = make()
      expect(names(scheduler, [])).toEqual([])
      const one = [backend('a')]
      expect([names(scheduler, one), names(scheduler, one)]).toEqual([['a'], ['a']])
    })

    it('leaves out those of weight 0', () => {
      const scheduler = make()
      expect(names(scheduler, [backend('a', 0), backend('b'), backend('c', 0)])).toEqual(['b'])
      expect(names(scheduler, [backend('a', 0)])).toEqual([])
    })

    it('leaves out those that are not ready, at once', () => {
      const scheduler = make()
      const backends = [backend('a', 2), backend('b'), backend('c', 3)]
      for (let i = 0; i < 20; i++) {
        const of = key(`/${i}`, `10.0.0.${i}`, `Host: ${i}.test\r\n`)
        backends[1]!.ready = false
        expect(names(scheduler, backends, of).toSorted()).toEqual(['a', 'c'])
        for (const each of backends) each.ready = false
        expect(names(scheduler, backends, of)).toEqual([])
        for (const each of backends) each.ready = true
        expect(names(scheduler, backends, of).toSorted()).toEqual(['a', 'b', 'c'])
      }
    })

    it('bears interleaved walks and lists that change', () => {
      const scheduler = make()
      const all = [backend('a'), backend('b'), backend('c')]
      const walk = scheduler.order(all, key())
      const begun = walk.next().value?.name
      expect(names(scheduler, all.slice(1)).toSorted()).toEqual(['b', 'c'])
      expect(names(scheduler, all).toSorted()).toEqual(['a', 'b', 'c'])
      const rest = [walk.next().value?.name, walk.next().value?.name]
      expect([begun, ...rest].toSorted()).toEqual(['a', 'b', 'c'])
      expect(walk.next().done).toBe(true)
    })

    const test = spreads ? it : null
    test?.('leaves nobody out over many requests', () => {
      const scheduler = make()
      const backends = [backend('a'), backend('b', 3), backend('c', 10)]
      const seen = new Set<string>()
      for (let i = 0; i < 2_000; i++)
        seen.add(
          first(
            scheduler,
            backends,
            key(`/${i}`, `10.0.${i >> 8}.${i & 255}`, `Host: ${i}.test\r\n`),
          ),
        )
      expect([...seen].toSorted()).toEqual(['a', 'b', 'c'])
    })
  })
}
