/** Portico where uWSGI was: the same nginx in front, the same protocol between them. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cannotServe, type Rival } from '../harness/rival.ts'
import { nginx, nginxVersion } from './nginx-config.ts'
import { PORTICO, portico, siteFile } from './portico.ts'

export const nginxPortico: Rival = {
  name: 'nginx + Portico',
  version: () => `nginx ${nginxVersion()}, Portico ${portico.version()}`,
  serve(site, dir, port) {
    if (site.kind !== 'wsgi') cannotServe(this.name, site)
    const socket = join(dir, 'portico.sock')
    const file = join(dir, 'site.yaml')
    writeFileSync(file, siteFile(site, dir, `uwsgi://unix:${socket}`))
    return [
      { argv: [PORTICO, 'serve', file], cwd: dir },
      nginx(dir, port, `include /etc/nginx/uwsgi_params; uwsgi_pass unix:${socket};`),
    ]
  },
}
