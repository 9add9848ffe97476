/** A store by its address: each kind is loaded where it is used. */
import type { Store } from './store.ts'

export async function openStore(address: string, warn: (message: string) => void): Promise<Store> {
  if (/^rediss?:/.test(address)) {
    return new (await import('./stores/redis.ts')).RedisStore(address, warn)
  }
  if (/^etcds?:/.test(address)) return new (await import('./stores/etcd.ts')).EtcdStore(address)
  return new (await import('./stores/file.ts')).FileStore(address.replace(/^file:/, ''))
}
