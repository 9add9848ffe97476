/**
 * podman for a scenario: a store of its own, one image with BusyBox in it, made without a
 * registry. What is in there, networks and control groups are real.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const IMAGE = 'localhost/portico-test:1'

export interface Containers {
  /** What podman is to be told in its environment. */
  readonly env: Readonly<Record<string, string>>
  podman(...args: readonly string[]): string
  close(): void
}

/** `files` go into the image, which starts as small as BusyBox; those in C as programs. */
export function makeContainers(files: Readonly<Record<string, string>>): Containers {
  const folder = mkdtempSync(join(tmpdir(), 'portico-containers-'))
  const write = (name: string, text: string): string => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }
  const storage = `[storage]
driver = "vfs"
graphroot = "${folder}/graph"
runroot = "${folder}/run"
`
  // A process without CAP_SYS_RESOURCE cannot give containers podman's usual limits; crun does not know
  // machines with both versions of control groups.
  const containers = `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
`
  const env = {
    CONTAINERS_STORAGE_CONF: write('storage.conf', storage),
    CONTAINERS_CONF: write('containers.conf', containers),
  }
  const podman = (...args: readonly string[]): string =>
    execFileSync('podman', args, {
      env: { ...process.env, ...env },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim()
  const image = join(folder, 'image')
  for (const each of ['bin', 'tmp', 'app', 'etc', 'run'])
    mkdirSync(join(image, each), { recursive: true })
  const applets = ['sh', 'httpd', 'nc', 'sleep', 'cat', 'echo', 'id', 'kill', 'env', 'ls', 'wget']
  execFileSync('sh', [
    '-c',
    'cp /bin/busybox "$1/bin" && shift 1 && cd "$0" && for name; do ln -s busybox "bin/$name"; done',
    image,
    image,
    ...applets,
  ])
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(image, name, '..'), { recursive: true })
    const path = join(image, name)
    writeFileSync(path, text, { mode: 0o755 })
    if (name.endsWith('.c')) execFileSync('gcc', ['-static', '-O', '-o', path.slice(0, -2), path])
  }
  execFileSync('tar', ['-C', image, '-cf', join(folder, 'image.tar'), '.'])
  podman('import', '--quiet', join(folder, 'image.tar'), IMAGE)
  return {
    env,
    podman,
    close() {
      podman('rm', '--all', '--force', '--time', '0')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
