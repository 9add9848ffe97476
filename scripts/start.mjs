/** `npm start`: sets up what is missing, then serves the example site with its upstream. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { installPackages, pinnedNode, root } from './setup.mjs'

installPackages()
const node = pinnedNode()
const site = join(root, 'examples', 'site')

// The upstream of the example's /upstream/: any HTTP server will do.
const upstream = spawn(node, [join(site, 'upstream.mjs')], {
  stdio: ['ignore', 'inherit', 'inherit'],
})
const portico = spawn(
  node,
  [join(root, 'bin', 'portico'), 'serve', join(site, 'site.yaml'), ...process.argv.slice(2)],
  { stdio: 'inherit' },
)
// A terminal's Ctrl-C reaches all three; a signal sent to this one alone is passed on.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => portico.kill(signal))
portico.on('exit', (code, signal) => {
  upstream.kill()
  process.exitCode = code ?? (signal === null ? 0 : 1)
})
