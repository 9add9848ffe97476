/** The command line that starts an application's container. Pure. */
import type { ContainerAppPlan } from '../../site/plan.ts'
import { LABEL } from './engine.ts'

export interface ContainerPlace {
  readonly name: string
  /** Who answers for it. */
  readonly label: string
  /** The folder on this machine that its `socket` is to be in. */
  readonly folder: string
  /** Uid and gid on this machine, `65534:65534`; '' for the image's. */
  readonly user: string
  /** Names of variables, whose values are in the engine's environment: no command line shows them. */
  readonly variables: readonly string[]
  /** Files that it is to see, to read: here → there. */
  readonly files: Readonly<Record<string, string>>
}

/**
 * Variables by which one commands the engine, or what loads it, and the engine runs as we do: the
 * application's own are in its command line, never in its environment.
 */
const ACTS_ON_ENGINE =
  /^(LD_.*|GLIBC_TUNABLES|GCONV_PATH|LOCPATH|NLSPATH|MALLOC_.*|PATH|HOME|TMPDIR|XDG_.*|DBUS_.*|GO[A-Z]+|_?CONTAINERS?_.*|DOCKER_.*|PODMAN_.*|BUILDAH_.*|STORAGE_.*|REGISTRY_.*|SSL_CERT_.*|NOTIFY_SOCKET|LISTEN_.*|(https?|no|all|ftp)_proxy)$/i

/** The engine's environment, and what names it in the command line. Throws for a secret that cannot be given. */
export function passVariables(
  env: Readonly<Record<string, string>>,
  secrets: readonly string[],
): { readonly env: Record<string, string>; readonly variables: string[] } {
  const unsafe = secrets.find((name) => ACTS_ON_ENGINE.test(name))
  if (unsafe !== undefined) {
    throw new Error(`the secret ${unsafe} would command the engine: set \`as: file\``)
  }
  const all = Object.entries(env)
  return {
    env: Object.fromEntries(all.filter(([name]) => !ACTS_ON_ENGINE.test(name))),
    variables: all.map(([name, value]) => (ACTS_ON_ENGINE.test(name) ? `${name}=${value}` : name)),
  }
}

/** Behind the name of the engine. */
export function containerArguments(app: ContainerAppPlan, place: ContainerPlace): string[] {
  const args = ['run', '--rm', '--name', place.name, '--label', `${LABEL}=${place.label}`]
  args.push('--label', `portico.application=${app.name}`, '--sig-proxy=true', '--pull', app.pull)
  for (const name of place.variables) args.push('--env', name)
  for (const volume of app.volumes) args.push('--volume', volume)
  for (const [from, to] of Object.entries(place.files)) args.push('--volume', `${from}:${to}:ro`)
  if (app.socket !== '') {
    const folder = app.socket.slice(0, app.socket.lastIndexOf('/'))
    args.push('--volume', `${place.folder}:${folder}:rw`)
  } else args.push('--publish', `127.0.0.1::${app.port}`)
  if (place.user !== '') args.push('--user', place.user)
  const { isolation } = app
  if (isolation !== undefined) {
    const { limits, network, readOnly, noNewPrivileges } = isolation
    if (network === 'none') args.push('--network', 'none')
    if (readOnly.length > 0) args.push('--read-only', '--tmpfs', '/tmp')
    if (noNewPrivileges) args.push('--security-opt', 'no-new-privileges')
    if (limits.memory >= 0) args.push('--memory', `${limits.memory}b`)
    if (limits.cpu >= 0) args.push('--cpus', String(limits.cpu))
    if (limits.pids >= 0) args.push('--pids-limit', String(limits.pids))
    if (limits.files >= 0) args.push('--ulimit', `nofile=${limits.files}:${limits.files}`)
    if (limits.core >= 0) args.push('--ulimit', `core=${limits.core}:${limits.core}`)
  }
  return [...args, app.image, ...app.command]
}
