/** `npm run bench`, `npm run soak`: sets up what is missing, then runs the program that is named first. */
import { spawnSync } from 'node:child_process'
import { debianPackages, installDebian, installPackages, pinnedNode, root } from './setup.mjs'

/** What the rivals from PyPI are made with. */
const BUILD = ['python3-venv', 'python3-dev', 'libev-dev', 'gcc', 'libc6-dev']

installPackages()
installDebian([...debianPackages(), ...BUILD])
const { status } = spawnSync(pinnedNode(), process.argv.slice(2), { cwd: root, stdio: 'inherit' })
process.exit(status ?? 1)
