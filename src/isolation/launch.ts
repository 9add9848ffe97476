/** How an application's processes are started: in their group, within their bounds and walls, as their user. */
import type { WorkerCommand } from '../runtimes/runtime.ts'
import { childEnvironment } from '../supervisor/environment.ts'
import { findTool } from '../system/tools.ts'
import { behindTools, type Credentials, launchAs } from '../system/users.ts'
import type { Quarters } from './quarters.ts'
import { within } from './walls.ts'

export interface Launched {
  readonly file: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly uid?: number
  readonly gid?: number
  /** What is started stays to wait for the command, which is its child. */
  readonly forks: boolean
}

/** Enters control groups, then becomes the command. */
const ENTER = 'while [ "$1" != -- ]; do echo 0 > "$1" || exit 1; shift; done; shift; exec "$@"'

/** Throws an Error with a remedy where it cannot be as the settings say. */
export function launchOf(quarters: Quarters, command: WorkerCommand): Launched {
  const { credentials, plan } = quarters
  if (plan === null) {
    const env = childEnvironment(command.env, credentials)
    const launch = launchAs(credentials, command.file, command.args, env)
    return { ...launch, env, cwd: command.cwd, forks: false }
  }
  quarters.check()
  const { walls } = quarters
  const env = childEnvironment(command.env, credentials)
  Object.assign(env, quarters.reveal())
  const inside = (text: string): string => within(plan.chroot, text)
  if (plan.chroot !== '') {
    for (const name of ['PATH', 'VIRTUAL_ENV', 'HOME', 'BUNDLE_GEMFILE']) {
      const value = env[name]
      if (value !== undefined) env[name] = value.split(':').map(inside).join(':')
    }
  }
  const chain = [
    ...entering(quarters.doors),
    ...quarters.limits.before,
    ...(walls?.before ?? []),
    ...(walls?.becomes ? [] : becoming(credentials, plan.noNewPrivileges)),
  ]
  if (chain.length > 0 && process.getuid?.() === 0) chain.push(...behindTools(env))
  chain.push(inside(command.file), ...command.args.map(inside))
  const [file = '', ...args] = chain
  return { file, args, env, cwd: command.cwd, forks: walls?.forks === true }
}

function entering(doors: readonly string[]): string[] {
  return doors.length === 0 ? [] : [findTool('sh'), '-c', ENTER, 'portico-group', ...doors, '--']
}

/** Without a way back to what is given up. */
function becoming(credentials: Credentials | null, noNewPrivileges: boolean): string[] {
  const switches = noNewPrivileges ? ['--no-new-privs'] : []
  if (credentials !== null) {
    const { uid, gid, groups } = credentials
    switches.push(
      `--reuid=${uid}`,
      `--regid=${gid}`,
      `--groups=${[gid, ...groups].join(',')}`,
      '--inh-caps=-all',
      '--bounding-set=-all',
    )
  }
  if (switches.length === 0) return []
  const setpriv = findTool('setpriv')
  if (setpriv === '') {
    throw new Error('setpriv (util-linux) is missing, which gives up rights: install it')
  }
  return [setpriv, ...switches, '--']
}
