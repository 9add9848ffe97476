import { join } from 'node:path'
import { apt, PYTHON, versionOf } from '../harness/machine.ts'
import { type Command, cannotServe, type Rival, type Site } from '../harness/rival.ts'
import { VENV_PYTHON, versionInVenv } from '../harness/venv.ts'

const APPS = join(import.meta.dirname, '../apps')
const SYNC_NOTE = 'closes the connection after each answer'

function command(python: string, workerClass: string, site: Site, port: number): Command[] {
  if (site.kind !== 'wsgi') cannotServe('Gunicorn', site)
  // One thread a worker, as for everybody; gthread keeps connections alive without more.
  const args = ['-k', workerClass, '-w', String(site.workers), '-b', `127.0.0.1:${port}`]
  args.push('--keep-alive', '75', '--worker-connections', '10000', '--chdir', APPS)
  return [{ argv: [python, '-m', 'gunicorn', ...args, `${site.module}:application`] }]
}

function debianVersion(): string {
  const remedy = apt('gunicorn')
  return versionOf([PYTHON, '-m', 'gunicorn', '--version'], /\d\S+(?=\))/, remedy)
}

export const gunicornGthread: Rival = {
  name: 'Gunicorn gthread',
  version: debianVersion,
  serve: (site, _dir, port) => command(PYTHON, 'gthread', site, port),
}

export const gunicornSync: Rival = {
  name: 'Gunicorn sync',
  note: SYNC_NOTE,
  version: debianVersion,
  serve: (site, _dir, port) => command(PYTHON, 'sync', site, port),
}

export const newestGunicornGthread: Rival = {
  name: 'newest Gunicorn gthread',
  version: () => versionInVenv('gunicorn'),
  serve: (site, _dir, port) => command(VENV_PYTHON, 'gthread', site, port),
}
