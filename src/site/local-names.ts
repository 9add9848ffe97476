/** Names and addresses that only a machine or its network knows. */
import { isIP } from 'node:net'

/** Top-level names that no CA knows (RFC 6761, 6762, 8375, ICANN's `internal`). */
const LOCAL =
  /(^|\.)(localhost|local|internal|intranet|private|corp|home|lan|test|example|invalid|home\.arpa)$/

/** Whether no CA could know it. */
export function isLocal(name: string): boolean {
  return isIP(name) !== 0 || !name.replace(/^\*\./, '').includes('.') || LOCAL.test(name)
}
