/** `npm run bench`: sets up what is missing, then measures us and every rival. Arguments go to bench/run.ts. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { debianPackages, installDebian, installPackages, pinnedNode, root } from './setup.mjs'

/** What the rivals from PyPI are made with. */
const BUILD = ['python3-venv', 'python3-dev', 'libev-dev', 'gcc', 'libc6-dev']

installPackages()
installDebian([...debianPackages(), ...BUILD])
const { status } = spawnSync(
  pinnedNode(),
  [join(root, 'bench', 'run.ts'), ...process.argv.slice(2)],
  { cwd: root, stdio: 'inherit' },
)
process.exit(status ?? 1)
