/** Whether somebody answers at an address. */
import { connect } from 'node:net'
import type { Address } from '../../site/plan.ts'

/** One that takes longer to let us in is asked again, ms. */
const TIMEOUT_MS = 2_000
/**
 * docker's proxy takes connections before the application does, and closes them at once: one that is
 * left open for this long is the application's, ms.
 */
const STAYS_MS = 50

export function answers(address: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const where =
      address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port }
    const connection = connect(where)
    const settle = (answer: boolean): void => {
      clearTimeout(timer)
      resolve(answer)
      connection.destroy()
    }
    let timer = setTimeout(() => settle(false), TIMEOUT_MS)
    connection.on('connect', () => {
      clearTimeout(timer)
      timer = setTimeout(() => settle(true), STAYS_MS)
    })
    connection.on('error', () => settle(false))
    connection.on('end', () => settle(false))
    connection.on('close', () => settle(false))
    connection.resume()
  })
}
