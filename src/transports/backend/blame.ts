/** Whose fault it is when an answer cannot be read: the backend's, by name, whatever rule it was judged by. */
import { PorticoError } from '../../errors.ts'

const LIED = `${new PorticoError('BACKEND_LIED').message}: `

/**
 * `error`, as it came of what the backend `name` has sent. Rules that are also for visitors speak of them:
 * without this a visitor would hear 400 for what a backend did.
 */
export function blame(name: string, error: PorticoError): PorticoError {
  const { code, fault, message } = error
  if (code !== 'BACKEND_LIED' && fault !== 'visitor') return error
  const what = message.startsWith(LIED) ? message.slice(LIED.length) : message
  return new PorticoError('BACKEND_LIED', `${name}: ${what}`, { cause: error })
}
