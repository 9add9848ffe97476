import { join } from 'node:path'
import { apt, PYTHON, versionOf } from '../harness/machine.ts'
import { cannotServe, type Rival } from '../harness/rival.ts'

const APPS = join(import.meta.dirname, '../apps')
const VERSION = 'import importlib.metadata as m; print(m.version("waitress"))'

export const waitress: Rival = {
  name: 'waitress',
  note: 'four threads, its default',
  version: () => versionOf([PYTHON, '-c', VERSION], /^\d\S+/, apt('python3-waitress')),
  serve(site, _dir, port) {
    if (site.kind !== 'wsgi') cannotServe(this.name, site)
    const listen = ['--listen', `127.0.0.1:${port}`, '--connection-limit', '10000']
    return [
      { argv: [PYTHON, '-m', 'waitress', ...listen, `${site.module}:application`], cwd: APPS },
    ]
  },
}
