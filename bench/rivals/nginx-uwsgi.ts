import { join } from 'node:path'
import { cannotServe, type Rival } from '../harness/rival.ts'
import { nginx, nginxVersion } from './nginx-config.ts'
import { uwsgi, uwsgiVersion } from './uwsgi-command.ts'

/** What Portico is to replace: nginx in front, uWSGI behind a unix socket. */
export const nginxUwsgi: Rival = {
  name: 'nginx + uWSGI',
  version: () => `nginx ${nginxVersion()}, uWSGI ${uwsgiVersion()}`,
  serve(site, dir, port) {
    if (site.kind !== 'wsgi') cannotServe(this.name, site)
    const socket = join(dir, 'uwsgi.sock')
    return [
      uwsgi(site.module, site.workers, ['--socket', socket]),
      nginx(dir, port, `include /etc/nginx/uwsgi_params; uwsgi_pass unix:${socket};`),
    ]
  },
}
