/**
 * Sets the checkout up, and skips what is up to date: npm packages by the lock file, Debian packages by
 * their names. Plain JavaScript for any Node that npm runs on.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Installs the locked npm packages unless they are there. */
export function installPackages() {
  const lock = join(root, 'package-lock.json')
  const done = join(root, 'node_modules', '.package-lock.json')
  if (existsSync(done) && statSync(done).mtimeMs >= statSync(lock).mtimeMs) return
  console.log('setup: installing npm packages …')
  // Not `npm ci`: npm leaves other platforms' optional packages out of the lock file, then misses them.
  const result = spawnSync(
    'npm',
    ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'],
    { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
  )
  if (result.status !== 0)
    stop('npm packages could not be installed: run `npm install` and see why')
}

/** The pinned Node, or this one when it is new enough. */
export function pinnedNode() {
  const pinned = join(
    root,
    'node_modules',
    `node-${process.platform}-${process.arch}`,
    'bin',
    'node',
  )
  if (existsSync(pinned)) return pinned
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath
  return stop(`Node 24 or newer is needed, this is ${process.version}: https://nodejs.org/`)
}

/** Installs the Debian packages that are missing when root, else names the command. */
export function installDebian(packages) {
  const missing = packages.filter((name) => !isInstalled(name))
  if (missing.length === 0) return
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`
  if (!existsSync('/usr/bin/apt-get'))
    stop(`these programs are needed (Debian's names): ${missing.join(' ')}`)
  if (process.getuid?.() !== 0) stop(`some Debian packages are missing; run: sudo ${command}`)
  console.log(`setup: installing Debian packages: ${missing.join(' ')} …`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const run = (args) =>
    spawnSync('apt-get', args, { stdio: ['ignore', 'ignore', 'inherit'], env }).status
  const install = ['install', '-y', '-qq', '--no-install-recommends', ...missing]
  // Package lists may be missing or old.
  if (run(install) !== 0 && (run(['update', '-qq']) !== 0 || run(install) !== 0)) {
    stop(`Debian packages could not be installed: run ${command}`)
  }
}

function isInstalled(name) {
  const result = spawnSync('dpkg-query', ['-W', '-f=$' + '{Status}', name], { encoding: 'utf8' })
  return result.status === 0 && result.stdout.includes('install ok installed')
}

/** What package.json lists under `debian`: the real peers that the tests run against. */
export function debianPackages() {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).debian
}

function stop(message) {
  console.error(`setup: ${message}`)
  process.exit(1)
}
