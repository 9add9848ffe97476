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

/** `own` is the command's whole environment; who runs as another user gets that user's HOME. */
export function childEnvironment(
  own: NodeJS.ProcessEnv,
  credentials: Credentials | null,
): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { ...own }
  if (credentials !== null) {
    const person = { HOME: credentials.home, USER: credentials.user, LOGNAME: credentials.user }
    for (const [name, value] of Object.entries(person)) {
      // A value that the application was given on purpose stays.
      if (environment[name] === process.env[name]) environment[name] = value
    }
  }
  for (const name of OURS_ALONE) delete environment[name]
  return environment
}
