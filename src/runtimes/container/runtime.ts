/** How to run an application in a container: podman or docker in the foreground, for as long as it lives. */
import { chmodSync, chownSync, mkdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { revealSecrets } from '../../isolation/secrets.ts'
import { pinSocket } from '../../server/pin.ts'
import type { Address, ContainerAppPlan } from '../../site/plan.ts'
import { isAlive } from '../../system/alive.ts'
import { type Credentials, findCredentials } from '../../system/users.ts'
import type { Reach, Service, ServiceNews, ServicePlace, ServiceRuntime } from '../service.ts'
import { containerArguments, passVariables } from './arguments.ts'
import { abandoned, ask, type Engine, findEngine, removal, remove } from './engine.ts'
import { answers } from './probe.ts'

/** Where secrets are, for those who are given files. */
const SECRETS = '/run/secrets'

let launches = 0
/** Those of killed supervisors are removed once. */
let swept = false

export const container: ServiceRuntime = {
  name: 'container',
  async prepare(app, place): Promise<Service> {
    if (app.kind !== 'container') throw new Error(`app ${app.name}: not in a container`)
    const engine = await findEngine(app)
    if (!swept) {
      swept = true
      await remove(engine, await abandoned(engine, isSupervisor))
    }
    const name = nameOf(place)
    const user = userOf(app)
    const secrets = app.isolation?.secrets ?? []
    const folder = `${place.folder}.secrets`
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const revealed = revealSecrets(secrets, folder, user)
    const files = secrets.filter((secret) => secret.as === 'file').map((secret) => secret.name)
    for (const each of files) revealed[`${each}_FILE`] = `${SECRETS}/${each}`
    const env: Record<string, string> = {
      ...(app.port === 0 ? {} : { PORT: String(app.port) }),
      WEB_CONCURRENCY: String(app.workers),
      ...app.env,
      ...revealed,
    }
    const hidden = secrets.filter((secret) => secret.as === 'env').map((secret) => secret.name)
    const passed = passVariables(env, hidden)
    const args = containerArguments(app, {
      name,
      label: supervisorLabel(process.pid),
      folder: place.folder,
      user: user === null ? '' : `${user.uid}:${user.gid}`,
      variables: passed.variables,
      files: Object.fromEntries(files.map((each) => [join(folder, each), `${SECRETS}/${each}`])),
    })
    return {
      version: `${app.image} (${engine.name})`,
      // The engine's own settings are in the environment, too.
      command: { file: engine.file, args, env: { ...ours(), ...passed.env }, cwd: '/' },
      files: {},
      stopSignal: 'SIGTERM',
      traces: '',
      listensOnStdin: false,
      question: new Uint8Array(0),
      isAnswer: () => true,
      read,
      reach: reachOf(app, place, engine, name, user),
    }
  },
}

function ours(): Record<string, string> {
  const known = Object.entries(process.env).filter(([, value]) => value !== undefined)
  return Object.fromEntries(known) as Record<string, string>
}

/** Unique on the machine: `/run/portico/site-1234-AbCdEf/2/app-0.sock`, the third time. */
function nameOf({ socket }: ServicePlace): string {
  const parts = socket
    .replace(/\.sock$/, '')
    .split('/')
    .slice(-3)
  return `portico-${parts.join('-')}-${++launches}`.replace(/[^\w.-]/g, '-')
}

function userOf({ isolation }: ContainerAppPlan): Credentials | null {
  if (isolation === undefined || isolation.user === '') return null
  return findCredentials(isolation.user, isolation.group)
}

/** A process by its number and the time at which it began: numbers come again. */
export function supervisorLabel(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return `${pid}.${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`
  } catch {
    return `${pid}.`
  }
}

function isSupervisor(label: string): boolean {
  const pid = Number(label.split('.')[0])
  return isAlive(pid) && supervisorLabel(pid) === label
}

function read(line: string): ServiceNews {
  return { type: 'log', level: 'info', message: line, pid: 0 }
}

function reachOf(
  app: ContainerAppPlan,
  place: ServicePlace,
  engine: Engine,
  name: string,
  user: Credentials | null,
): Reach {
  let address: Address | null = null
  return {
    prepare() {
      // The server passes through it; what is above it keeps everybody else out.
      chmodSync(place.folder, 0o711)
      if (user !== null) chownSync(place.folder, user.uid, user.gid)
    },
    async find() {
      address ??= app.port === 0 ? socketOf(app, place) : await portOf(app, engine, name)
      if (address === null || !(await answers(address))) return null
      const pid = await ask(engine, ['inspect', '--format', '{{.State.Pid}}', name]).catch(() => '')
      return { address, pid: Number(pid) || 0 }
    },
    clear: () => remove(engine, [name]),
    guard: [engine.file, ...removal(engine, [name])],
  }
}

async function portOf(
  app: ContainerAppPlan,
  engine: Engine,
  name: string,
): Promise<Address | null> {
  const told = await ask(engine, ['port', name, `${app.port}/tcp`]).catch(() => '')
  const port = Number(/:(\d+)$/m.exec(told)?.[1] ?? 0)
  return port === 0 ? null : { kind: 'tcp', host: '127.0.0.1', port }
}

/** What is there may be the container's choice, so it is opened up and used by descriptor only. */
function socketOf(app: ContainerAppPlan, place: ServicePlace): Address | null {
  const path = join(place.folder, basename(app.socket))
  const pinned = pinSocket(path, dirname(path))
  if (pinned === null) return null
  chmodSync(pinned.path, 0o666)
  pinned.close()
  return { kind: 'unix', path }
}
