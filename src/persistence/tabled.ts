/** Visitors known by their address or by a header: they belong to who was asked for them first. */
import type { Key } from '../schedulers/scheduler.ts'
import { NOBODY, type Persistence } from './persistence.ts'
import type { Belongings } from './table.ts'

/** What a visitor is known by; '' for one that cannot be told from others. */
export type Identify = (key: Key) => string

export function tabled(identify: Identify, table: Belongings): Persistence {
  return {
    through: null,
    find(key) {
      const visitor = identify(key)
      return visitor === '' ? NOBODY : table.find(visitor)
    },
    settle(key, before, server) {
      const visitor = identify(key)
      return visitor === '' ? server : table.settle(visitor, before, server)
    },
  }
}
