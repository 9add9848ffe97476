/** FastCGI 1.0 to one server, such as php-fpm: one request at a time on connections that are kept alive. */
import type { TargetPlan } from '../site/plan.ts'
import { type ConnectionSettings, Connections } from './backend/connections.ts'
import { FastcgiDialect } from './fastcgi/dialect.ts'
import type { Describe } from './variables.ts'

export interface FastcgiSettings extends ConnectionSettings {
  /** Takes a line of what the server reports about its requests; by default our own stderr does. */
  readonly log?: (line: string) => void
}

/**
 * The transport to `target`. `describe` says of each request what the server is to know; the transport
 * adds CONTENT_LENGTH. With `keepAlive: 0` the server is asked to close after each request.
 */
export function fastcgi(
  target: Pick<TargetPlan, 'name' | 'address'>,
  settings: FastcgiSettings,
  describe: Describe,
): Connections {
  const log = settings.log ?? ((line: string): void => console.error(line))
  const told = (line: string): void => log(`${target.name}: ${line}`)
  const keep = settings.keepAlive > 0
  return new Connections(
    target,
    settings,
    (receiver) => new FastcgiDialect(receiver, describe, keep, told),
  )
}
