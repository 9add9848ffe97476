/** The environment of the processes we start: ours, without what is meant for the supervisor alone. */
import type { Credentials } from '../system/users.ts'

/** systemd's sockets and watchdog belong to the main process; Node's settings to Node. */
const OURS_ALONE = [
  'NOTIFY_SOCKET',
  'WATCHDOG_USEC',
  'WATCHDOG_PID',
  'NODE_COMPILE_CACHE',
  'NODE_CHANNEL_FD',
]

/** `extra` wins; who runs as another user gets that user's HOME. */
export function childEnvironment(
  extra: Readonly<Record<string, string>>,
  credentials: Credentials | null,
): NodeJS.ProcessEnv {
  const person =
    credentials === null
      ? {}
      : { HOME: credentials.home, USER: credentials.user, LOGNAME: credentials.user }
  const environment: NodeJS.ProcessEnv = { ...process.env, ...person, ...extra }
  for (const name of OURS_ALONE) delete environment[name]
  return environment
}
