/** How CGI runs behind nginx, which has none of its own: fcgiwrap behind a unix socket. */
import { join } from 'node:path'
import { apt, versionOf } from '../harness/machine.ts'
import { cannotServe, type Rival } from '../harness/rival.ts'
import { nginx, nginxVersion } from './nginx-config.ts'

export const nginxFcgiwrap: Rival = {
  name: 'nginx + fcgiwrap',
  note: 'CPU/request without its programs, which it does not wait for; Portico’s has them',
  version: () =>
    `nginx ${nginxVersion()}, fcgiwrap ${versionOf(['dpkg-query', '-W', 'fcgiwrap'], /\t(\S+)/, apt('fcgiwrap'))}`,
  serve(site, dir, port) {
    if (site.kind !== 'cgi') cannotServe(this.name, site)
    const socket = join(dir, 'fcgiwrap.sock')
    return [
      { argv: ['fcgiwrap', '-c', String(site.programs), '-s', `unix:${socket}`] },
      nginx(
        dir,
        port,
        `include /etc/nginx/fastcgi_params; fastcgi_param SCRIPT_FILENAME ${site.root}$fastcgi_script_name;
        fastcgi_pass unix:${socket};`,
      ),
    ]
  },
}
