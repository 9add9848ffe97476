import { cannotServe, type Rival } from '../harness/rival.ts'
import { uwsgi, uwsgiVersion } from './uwsgi-command.ts'

export const uwsgiHttp11: Rival = {
  name: 'uWSGI http11-socket',
  note: 'a worker stays with one connection while that is kept alive: the others get no answer',
  version: uwsgiVersion,
  serve(site, _dir, port) {
    if (site.kind !== 'wsgi') cannotServe(this.name, site)
    return [uwsgi(site.module, site.workers, ['--http11-socket', `127.0.0.1:${port}`])]
  },
}
