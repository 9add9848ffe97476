/**
 * Users and groups: names to ids, and how to start a process as somebody else.
 */
import { getgrouplist } from './libc.ts'
import { entryOf } from './names.ts'
import { findTool, works } from './tools.ts'

/** Whom the server and the applications run as. */
export interface Credentials {
  readonly user: string
  readonly uid: number
  readonly gid: number
  readonly home: string
  /** Groups beside `gid`. */
  readonly groups: readonly number[]
}

/** How to have a command run as `credentials`: what to spawn, with which options. */
export interface Launch {
  readonly file: string
  readonly args: readonly string[]
  readonly uid?: number
  readonly gid?: number
}

const MOST_GROUPS = 1024

/** Throws an Error that names the key of the site file when there is no such user or group. */
export function findCredentials(user: string, group: string): Credentials {
  const found = entryOf('passwd', user)
  if (found === undefined && !/^\d+$/.test(user)) {
    throw new Error(`user: no such user on this machine: ${user}`)
  }
  const name = found?.[0] ?? user
  const uid = Number(found?.[2] ?? user)
  const home = found?.[5] ?? '/'
  const ownGid = Number(found?.[3] ?? user)
  const gid = group === '' ? ownGid : findGroup(group)
  return { user: name, uid, gid, home, groups: found === undefined ? [] : groupsOf(name, gid) }
}

/** Whom systems run web applications as; the last one is everywhere. */
const ORDINARY = ['www-data', 'http', 'nginx', 'apache', 'www', '_www', 'nobody']

/** A user without rights, for a program that must not be root and was not told who to be. */
export function ordinaryUser(): string {
  return ORDINARY.find((user) => entryOf('passwd', user) !== undefined) ?? 'nobody'
}

function findGroup(group: string): number {
  const found = entryOf('group', group)
  if (found !== undefined) return Number(found[2])
  if (/^\d+$/.test(group)) return Number(group)
  throw new Error(`group: no such group on this machine: ${group}`)
}

function groupsOf(user: string, gid: number): number[] {
  const groups = new Int32Array(MOST_GROUPS)
  const count = Int32Array.of(MOST_GROUPS)
  if (getgrouplist(user, gid, groups, count) < 0) return []
  return [...groups.subarray(0, count[0])].filter((group) => group !== gid)
}

/** util-linux' setpriv; BusyBox has one by the same name that cannot change users. */
function hasSetpriv(): boolean {
  return works(findTool('setpriv'), ['--reuid=0', '--regid=0', '--clear-groups', 'true'])
}

/** What to put before a command so that it runs as `credentials`; null where there is no setpriv. */
export function becoming({ uid, gid, groups }: Credentials): readonly string[] | null {
  if (!hasSetpriv()) return null
  const all = [gid, ...groups].join(',')
  return [findTool('setpriv'), `--reuid=${uid}`, `--regid=${gid}`, `--groups=${all}`, '--']
}

/**
 * Variables that act on the tools in between, which run as root: they are set only behind them. None of
 * them is a secret (see the settings), so they may stand in a command line.
 */
const ACTS_ON_TOOLS =
  /^(LD_.*|GLIBC_TUNABLES|GCONV_PATH|LOCPATH|NLSPATH|MALLOC_.*|BASH_ENV|ENV|SHELLOPTS|PS4|IFS|CDPATH)$/

/**
 * Moves what would act on the tools out of `env`, to where it acts on the application alone: what to put
 * between them and its command.
 */
export function behindTools(env: NodeJS.ProcessEnv): string[] {
  const names = Object.keys(env).filter(
    (name) => ACTS_ON_TOOLS.test(name) && env[name] !== process.env[name],
  )
  if (names.length === 0) return []
  const assignments = names.map((name) => `${name}=${env[name] ?? ''}`)
  for (const name of names) delete env[name]
  return [findTool('env'), ...assignments]
}

/**
 * Node's own `uid` and `gid` options clear the supplementary groups. Where the user has some, setpriv
 * sets them and then becomes the command: same process, same descriptors. `env`: what it is started with,
 * where that may be the user's own; setpriv still runs as us.
 */
export function launchAs(
  credentials: Credentials | null,
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Launch {
  if (credentials === null) return { file, args }
  const { uid, gid, groups } = credentials
  const before = groups.length === 0 ? null : becoming(credentials)
  if (before === null) return { file, args, uid, gid }
  const [command = '', ...switches] = before
  return { file: command, args: [...switches, ...behindTools(env), file, ...args] }
}

/** Whether `launchAs` has to leave the user's supplementary groups out. */
export function losesGroups(credentials: Credentials): boolean {
  return credentials.groups.length > 0 && !hasSetpriv()
}
