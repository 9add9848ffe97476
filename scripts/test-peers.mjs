/**
 * `npm run test:peers`: tests against peers that are no part of the lock file or of Debian, fetched from
 * PyPI and npm. Apart from `npm test`, which needs none of them.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { debianPackages, installDebian, installPackages, pinnedNode, root } from './setup.mjs'

/** Too much for every `npm test`. */
const OPENSTACK = ['python3-keystone', 'python3-openstackclient']

installPackages()
installDebian([...debianPackages(), 'python3-venv', 'chromium', ...OPENSTACK])
const { status } = spawnSync(
  pinnedNode(),
  [
    join(root, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    '--config',
    'vitest.peers.config.ts',
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
)
process.exit(status ?? 1)
