/**
 * The front of a farm: a site of its own that listens for all of them and passes each visitor on to the
 * site of that host, over its unix socket.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type Credentials, launchAs } from '../system/users.ts'

const run = promisify(execFile)
const CHECK_MS = 60_000
const LONGEST_PLAN = 16_777_216

/** A site behind the front. */
export interface Behind {
  readonly name: string
  /** Where it listens. */
  readonly socket: string
  readonly hosts: readonly string[]
  readonly running: boolean
}

/**
 * The hosts that a site file names. It is read by another process, as its owner: a site file may be a
 * program, may include what its owner cannot read, and is not ours to run. Rejects with what is wrong.
 */
export async function hostsOf(
  file: string,
  launcher: readonly string[],
  credentials: Credentials | null,
): Promise<string[]> {
  const [program = '', ...args] = [...launcher, 'check', file, '--json', '--plan']
  const launch = launchAs(credentials, program, args)
  const { stdout } = await run(launch.file, launch.args, {
    cwd: '/',
    timeout: CHECK_MS,
    maxBuffer: LONGEST_PLAN,
    ...(credentials === null ? {} : { env: { PATH: process.env.PATH, HOME: credentials.home } }),
    uid: launch.uid,
    gid: launch.gid,
  })
  const hosts: unknown = JSON.parse(stdout).plan?.hosts
  if (!Array.isArray(hosts)) return []
  return hosts.map(({ name }) => name).filter((name) => typeof name === 'string' && HOST.test(name))
}

/** As the Plan has them. */
const HOST = /^(\*|(\*\.)?[a-z0-9_.:[\]-]{1,253})$/

/** Whoever has a host keeps it for as long as it names it, whether it runs or not; else the first in order gets it. */
export function shareHosts(
  sites: readonly Behind[],
  before: ReadonlyMap<string, string>,
): { owners: Map<string, string>; refused: [host: string, site: string, owner: string][] } {
  const owners = new Map<string, string>()
  for (const { name, hosts } of sites) {
    for (const host of hosts) if (before.get(host) === name) owners.set(host, name)
  }
  const refused: [string, string, string][] = []
  for (const { name, hosts } of sites) {
    for (const host of hosts) {
      const owner = owners.get(host)
      if (owner === undefined) owners.set(host, name)
      else if (owner !== name) refused.push([host, name, owner])
    }
  }
  return { owners, refused }
}

/** Of a site that does not run just now: nobody else gets its visitors. */
const AWAY = { '~.*': { respond: 'this site does not run at the moment\n', status: 503 } }

/** The site file of the front; JSON is YAML. */
export function frontSite(
  listen: readonly string[],
  user: string,
  sites: readonly Behind[],
  owners: ReadonlyMap<string, string>,
): string {
  const running = sites.filter((site) => site.running)
  const pools = running.map(({ name, socket }) => [name, { servers: [`unix:${socket}`] }])
  const names = new Set(running.map(({ name }) => name))
  const hosts = [...owners].map(([host, name]) => [
    host,
    names.has(name) ? { '/': { proxy: name } } : AWAY,
  ])
  const nobody = { '~.*': { respond: 'no such host here\n', status: 421 } }
  return JSON.stringify(
    {
      listen,
      ...(user === '' ? {} : { user }),
      // Each site has logs and limits of its own.
      log: { access: 'off' },
      hosts: hosts.length === 0 ? { '*': nobody } : Object.fromEntries(hosts),
      pools: Object.fromEntries(pools),
    },
    null,
    2,
  )
}
