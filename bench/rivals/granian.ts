import { join } from 'node:path'
import { cannotServe, type Rival } from '../harness/rival.ts'
import { VENV_PYTHON, versionInVenv } from '../harness/venv.ts'

const APPS = join(import.meta.dirname, '../apps')

export const granian: Rival = {
  name: 'Granian',
  version: () => versionInVenv('granian'),
  serve(site, _dir, port) {
    if (site.kind !== 'wsgi' && site.kind !== 'asgi') cannotServe(this.name, site)
    const args = ['--interface', site.kind, '--http', '1', '--workers', String(site.workers)]
    if (site.kind === 'asgi') args.push('--loop', 'uvloop')
    args.push('--blocking-threads', '1', '--no-access-log', '--host', '127.0.0.1')
    args.push('--port', String(port), '--working-dir', APPS, `${site.module}:application`)
    return [{ argv: [VENV_PYTHON, '-m', 'granian', ...args] }]
  },
}
