/**
 * How far answers may run ahead of visitors who are slow to read. Whoever makes one is free the sooner:
 * else a few visitors who ask for much and read nothing would hold every worker of an application.
 */
import { unsent } from '../listen/unsent.ts'

/** Of one answer, bytes. */
const MOST_OF_ONE = 4_194_304
/** Of all answers of this thread, bytes: beyond it, who makes an answer waits for its visitor. */
const MOST_OF_ALL = 268_435_456

/** Whether more of an answer may be made while `bytes` of it wait for the visitor. */
export function mayRunAhead(bytes: number): boolean {
  return bytes < MOST_OF_ONE && unsent.bytes < MOST_OF_ALL
}
