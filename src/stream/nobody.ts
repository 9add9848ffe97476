/** What is made of a connection that was turned away. */
import type { Connection } from '../listen/byte-stream.ts'

export const NOBODY: Connection = {
  read: () => false,
  ended: () => {},
  closed: () => {},
  drained: () => {},
}
