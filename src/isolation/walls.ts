/**
 * What an application sees of the file system and the network: bubblewrap's arguments, or for a plain
 * `chroot` those of the kernel's own tools. Processes keep their numbers: what they tell us about
 * themselves has to be true outside.
 */
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { IsolationPlan } from '../site/plan.ts'
import { findTool, works } from '../system/tools.ts'
import type { Credentials } from '../system/users.ts'

export interface Walls {
  /** What to put before the command. */
  readonly before: readonly string[]
  /** The command becomes a child of what is started, which stays to wait for it. */
  readonly forks: boolean
  /** `before` makes it its user already. */
  readonly becomes: boolean
  /** For people. */
  readonly kind: 'bubblewrap' | 'chroot'
}

/** What it needs whatever is hidden, as absolute paths. */
export interface Needs {
  /** To read: our own code. */
  readonly shown: readonly string[]
  /** To write, too: its sockets. */
  readonly used: readonly string[]
  /** The application itself. */
  readonly own: readonly string[]
}

const TEMPORARY = ['/tmp', '/var/tmp']
/** What a program may expect of /dev; none of it does harm. */
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'].map((name) => `/dev/${name}`)

/**
 * Binds paths into the new root, then becomes the command: same process, same descriptors. The mounts
 * are seen by it alone and end with it.
 */
const CHROOT_SCRIPT = `set -e
path=$PATH; PATH=/usr/sbin:/usr/bin:/sbin:/bin; root=$1; shift
while [ "$1" != -- ]; do
  mkdir -p "$root\${1%/*}"
  if [ -d "$1" ]; then mkdir -p "$root$1"; elif [ ! -e "$root$1" ]; then : > "$root$1"; fi
  mount --bind "$1" "$root$1"; shift
done
shift; PATH=$path; exec "$@"`

/** Throws an Error with a remedy where this machine cannot do it. Null: nothing asks for walls. */
export function buildWalls(
  plan: IsolationPlan,
  needs: Needs,
  credentials: Credentials | null,
): Walls | null {
  if (plan.sandbox === 'none') return null
  const root = process.getuid?.() === 0
  if (plan.sandbox === 'auto' && root && isChrootAlone(plan))
    return chroot(plan, needs, credentials)
  const bwrap = findTool('bwrap')
  if (bwrap === '') {
    throw new Error('its walls need bubblewrap; install it (Debian: `apt install bubblewrap`)')
  }
  if (!works(bwrap, ['--bind', '/', '/', 'true'])) {
    throw new Error(
      'bubblewrap may not make namespaces here: see kernel.unprivileged_userns_clone and AppArmor, or give the container CAP_SYS_ADMIN',
    )
  }
  // Root enters the new root itself, so that the tools for it need not be in there.
  const later = root ? plan.chroot : ''
  const before = [bwrap, '--die-with-parent', ...bubblewrap(plan, needs, later)]
  if (plan.network === 'none') before.push('--unshare-net')
  before.push('--')
  const becomes = later !== ''
  if (becomes) before.push(...enter(plan, credentials))
  return { before, forks: true, becomes, kind: 'bubblewrap' }
}

function isChrootAlone({ chroot, readOnly, privateTmp, network }: IsolationPlan): boolean {
  return chroot !== '' && readOnly.length === 0 && !privateTmp && network === 'host'
}

/**
 * The mounts, in the order in which they are made: what comes later covers what came before. `later`: the
 * folder that becomes the root only afterwards; '' for none.
 */
export function bubblewrap(plan: IsolationPlan, needs: Needs, later: string): string[] {
  const { chroot, readOnly, writable, privateTmp } = plan
  const place = (path: string): string =>
    later + (within(chroot, path) === '/' && later !== '' ? '' : within(chroot, path))
  const all = readOnly.includes('/')
  const base = later === '' && chroot !== '' ? chroot : '/'
  const args = [all && chroot === '' ? '--ro-bind' : '--bind', base, '/']
  if (later !== '' || chroot === '') args.push('--dev-bind', '/dev', '/dev')
  const bind = (how: '--bind' | '--ro-bind', path: string): void => {
    args.push(how, path, place(path))
  }
  const outside = (path: string): boolean => chroot !== '' && !isBelow(path, chroot)
  const covered = (path: string): boolean =>
    privateTmp && TEMPORARY.some((folder) => isBelow(within(chroot, path), folder))
  const hidden = (path: string): boolean => outside(path) || covered(path)
  const needed = [...needs.shown, ...needs.used, ...needs.own]
  // bubblewrap by itself would make folders that only root can enter.
  const ways = (paths: readonly string[]): void => {
    for (const folder of ancestors(paths)) args.push('--perms', '0755', '--dir', later + folder)
  }
  ways(needed.filter((path) => outside(path) && !covered(path)))
  // Read-only at last, when all that is bound into it has its place.
  if (all && later !== '') args.push('--bind', later, later)
  if (chroot !== '') args.push('--dev', `${later}/dev`)
  if (privateTmp) {
    for (const folder of TEMPORARY) args.push('--perms', '1777', '--tmpfs', later + folder)
    ways(needed.filter(covered).map((path) => within(chroot, path)))
  }
  for (const path of needs.own.filter(hidden)) bind(all ? '--ro-bind' : '--bind', path)
  for (const path of readOnly) if (path !== '/') bind('--ro-bind', path)
  for (const path of writable) bind('--bind', path)
  for (const path of needs.shown.filter(hidden)) bind('--ro-bind', path)
  for (const path of needs.used) bind('--bind', path)
  if (all && chroot !== '') {
    const open = new Set([...writable, ...needs.used])
    for (const path of [chroot, ...mountsBelow(chroot)]) {
      if (!open.has(path)) args.push('--remount-ro', place(path))
    }
  }
  return args
}

/** What is mounted there: making a mount read-only leaves those in it as they are. */
function mountsBelow(folder: string): string[] {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .map((point) =>
      // proc(5): spaces and the like are octal.
      point.replace(/\\(\d{3})/g, (_, code: string) =>
        String.fromCharCode(Number.parseInt(code, 8)),
      ),
    )
  return points.filter((point) => point !== folder && isBelow(point, folder))
}

/** Plain chroot(8), as root; bubblewrap is not needed for it. */
function chroot(plan: IsolationPlan, needs: Needs, credentials: Credentials | null): Walls {
  const unshare = findTool('unshare')
  if (!works(unshare, ['--mount', 'true'])) {
    throw new Error('`chroot` needs unshare (util-linux) and the right to use it (CAP_SYS_ADMIN)')
  }
  const paths = [...DEVICES, ...needs.shown, ...needs.used]
  const script = [findTool('sh'), '-c', CHROOT_SCRIPT, 'portico-chroot', plan.chroot, ...paths]
  return {
    before: [unshare, '--mount', '--', ...script, '--', ...enter(plan, credentials)],
    forks: false,
    becomes: true,
    kind: 'chroot',
  }
}

/** Becomes the user in the new root. Only a root without rights cannot leave it again. */
function enter(plan: IsolationPlan, credentials: Credentials | null): string[] {
  const tool = findTool('chroot')
  if (tool === '') throw new Error('`chroot` needs chroot (coreutils)')
  const args = plan.noNewPrivileges ? [findTool('setpriv'), '--no-new-privs', '--'] : []
  if (credentials === null) return [...args, tool, plan.chroot]
  const { uid, gid, groups } = credentials
  const all = [gid, ...groups].join(',')
  return [...args, tool, `--userspec=+${uid}:+${gid}`, `--groups=${all}`, plan.chroot]
}

/** A path as it is called inside of `root`. */
export function within(root: string, path: string): string {
  if (root === '' || !isBelow(path, root)) return path
  return path.slice(root.length) || '/'
}

export function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`)
}

/** The folders on the way to each, from the top. */
function ancestors(paths: readonly string[]): string[] {
  const all = new Set<string>()
  for (const path of paths) {
    for (let folder = dirname(path); folder !== '/'; folder = dirname(folder)) {
      if (!TEMPORARY.includes(folder)) all.add(folder)
    }
  }
  return [...all].sort()
}
