import { join } from 'node:path'
import { cannotServe, type Rival } from '../harness/rival.ts'
import { VENV_PYTHON, versionInVenv } from '../harness/venv.ts'

const APPS = join(import.meta.dirname, '../apps')

/** With its fast parts: a parser in C and a loop in C. */
export const uvicorn: Rival = {
  name: 'uvicorn',
  note: 'with httptools and uvloop',
  version() {
    for (const part of ['httptools', 'uvloop']) versionInVenv(part)
    return versionInVenv('uvicorn')
  },
  serve(site, _dir, port) {
    if (site.kind !== 'asgi') cannotServe(this.name, site)
    const args = ['--http', 'httptools', '--loop', 'uvloop', '--workers', String(site.workers)]
    args.push('--no-access-log', '--log-level', 'warning', '--app-dir', APPS)
    args.push('--host', '127.0.0.1', '--port', String(port), `${site.module}:application`)
    return [{ argv: [VENV_PYTHON, '-m', 'uvicorn', ...args] }]
  },
}
