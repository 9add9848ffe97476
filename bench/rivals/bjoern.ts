import { join } from 'node:path'
import { cannotServe, type Rival } from '../harness/rival.ts'
import { VENV_PYTHON, versionInVenv } from '../harness/venv.ts'

const APPS = join(import.meta.dirname, '../apps')

export const bjoern: Rival = {
  name: 'bjoern',
  note: 'one process: its HTTP parser in C calls the application directly',
  version: () => versionInVenv('bjoern'),
  serve(site, _dir, port) {
    if (site.kind !== 'wsgi' || site.workers !== 1) cannotServe(this.name, site)
    const program = `import bjoern, ${site.module} as app; bjoern.run(app.application, "127.0.0.1", ${port})`
    return [{ argv: [VENV_PYTHON, '-c', program], cwd: APPS }]
  },
}
