/** What every scheduler keeps to; run over each of them. */
import { describe, expect, it } from 'vitest'
import type { Backend, Key, Scheduler } from '../../src/schedulers/scheduler.ts'
import { parseRequestFields } from '../../src/wire/request-fields.ts'
import { parseRequestLine } from '../../src/wire/request-line.ts'

export function backend(name: string, weight = 1, active = 0): Backend {
  return { name, weight, active }
}

/** A request for `target` by the visitor at `address`. */
export function key(target = '/', address = '192.0.2.1'): Key {
  return {
    line: parseRequestLine(`GET ${target} HTTP/1.1`),
    fields: parseRequestFields('Host: a\r\n', 1, 10),
    peer: { address, port: 1, localAddress: '192.0.2.9', localPort: 80, scheme: 'http' },
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

export function conforms(make: () => Scheduler): void {
  describe(`the scheduler ${make().name}`, () => {
    it('yields each backend once', () => {
      const scheduler = make()
      const backends = [backend('a'), backend('b', 5), backend('c', 2, 7)]
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

    it('leaves nobody out over many requests', () => {
      const scheduler = make()
      const backends = [backend('a'), backend('b', 3), backend('c', 10)]
      const seen = new Set<string>()
      for (let i = 0; i < 2_000; i++)
        seen.add(first(scheduler, backends, key(`/${i}`, `10.0.${i >> 8}.${i & 255}`)))
      expect([...seen].toSorted()).toEqual(['a', 'b', 'c'])
    })
  })
}
