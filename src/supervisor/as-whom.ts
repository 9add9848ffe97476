/** As whom the server and the applications of a site run. */
import type { SitePlan } from '../site/plan.ts'
import { type Credentials, findCredentials, losesGroups } from '../system/users.ts'
import type { Logger } from './logger.ts'

/** Null: as this process does. Throws where there is no such user. */
export function chooseCredentials(
  { user, group }: Pick<SitePlan, 'user' | 'group'>,
  logger: Logger,
): Credentials | null {
  if (process.getuid?.() !== 0) {
    if (user !== '') logger.warn('`user:` has no effect: not started as root')
    return null
  }
  if (user === '') {
    logger.warn('running as root: set `user:` so that server and applications do not')
    return null
  }
  const credentials = findCredentials(user, group)
  if (losesGroups(credentials)) {
    logger.warn(`${user} runs without its supplementary groups: setpriv (util-linux) is missing`)
  }
  return credentials
}
