/** What every store of certificates promises. */
import { expect, test } from 'vitest'
import type { Store } from '../../src/acme/store.ts'
import { until } from '../supervisor/site.ts'

/** `open`: another machine's view of the same store. */
export function storeSuite(open: () => Store | Promise<Store>): void {
  test('what one machine writes, another reads', async () => {
    const [one, other] = [await open(), await open()]
    const text = '-----BEGIN CERTIFICATE-----\nGrüße 日本 \0\r\n'
    await one.write('certificates/www.example.com', text)
    expect(await other.read('certificates/www.example.com')).toBe(text)
    await other.write('certificates/www.example.com', 'new')
    expect(await one.read('certificates/www.example.com')).toBe('new')
    await one.write('certificates/www.example.com', null)
    expect(await other.read('certificates/www.example.com')).toBeNull()
    // Removing what is not there is fine.
    await one.write('certificates/www.example.com', null)
    for (const store of [one, other]) store.close()
  })

  test('what nobody wrote is not there', async () => {
    const store = await open()
    expect(await store.read('certificates/nobody.example.com')).toBeNull()
    store.close()
  })

  test('a large value', async () => {
    const store = await open()
    const text = 'x'.repeat(200_000)
    await store.write('large', text)
    expect(await store.read('large')).toBe(text)
    store.close()
  })

  test('a value with an end ends', async () => {
    const store = await open()
    await store.write('challenges/brief', 'shown', 1_000)
    expect(await store.read('challenges/brief')).toBe('shown')
    await until('its end', async () => (await store.read('challenges/brief')) === null, 10_000)
    store.close()
  })

  test('one machine at a time holds a lock', async () => {
    const stores = await Promise.all([open(), open(), open()])
    const leases = await Promise.all(stores.map((store) => store.lock('order/example.com')))
    const [lease, ...others] = leases.filter((one) => one !== null)
    expect(others).toEqual([])
    // Another one is free.
    const free = await stores[0]!.lock('order/example.org')
    expect(free).not.toBeNull()
    await free?.release()
    await lease?.release()
    const next = await stores[1]!.lock('order/example.com')
    expect(next).not.toBeNull()
    expect(await stores[1]!.lock('order/example.com')).toBeNull()
    // Given back twice, it is still the next one's.
    await lease?.release()
    expect(await stores[2]!.lock('order/example.com')).toBeNull()
    await next?.release()
    // By the very machine that has it next, too.
    const again = await stores[1]!.lock('order/example.com')
    await next?.release()
    expect(await stores[0]!.lock('order/example.com')).toBeNull()
    await again?.release()
    for (const store of stores) store.close()
  })

  test('no key leads out of the store', async () => {
    const store = await open()
    for (const key of ['../escape', '/etc/passwd', 'a/../b', '', 'a//b', 'a/', '.hidden', 'a\nb']) {
      await expect(store.read(key)).rejects.toThrow('no key of a store')
      await expect(store.write(key, 'x')).rejects.toThrow('no key of a store')
    }
    store.close()
  })
}
