/** What most PHP sites run on: nginx, and php-fpm behind a unix socket. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { apt, versionOf } from '../harness/machine.ts'
import { cannotServe, type Rival } from '../harness/rival.ts'
import { nginx, nginxVersion } from './nginx-config.ts'

const FPM = 'php-fpm8.2'

export const nginxPhpFpm: Rival = {
  name: 'nginx + php-fpm',
  note: 'fastcgi_keep_conn on, with as many connections as php-fpm has children',
  version: () =>
    `nginx ${nginxVersion()}, PHP ${versionOf([FPM, '-v'], /PHP (\S+)/, apt('php-fpm'))}`,
  serve(site, dir, port) {
    if (site.kind !== 'php') cannotServe(this.name, site)
    const socket = join(dir, 'php.sock')
    const config = join(dir, 'php-fpm.conf')
    const user = process.getuid?.() === 0 ? 'user = www-data\ngroup = www-data\n' : ''
    writeFileSync(
      config,
      `[global]
error_log = ${dir}/php-fpm.log
daemonize = no
[www]
${user}listen = ${socket}
listen.mode = 0666
pm = static
pm.max_children = ${site.workers}
`,
    )
    return [
      { argv: [FPM, '-F', '-R', '-y', config, '-d', 'opcache.enable=1'] },
      nginx(
        dir,
        port,
        `root ${site.root}; index index.php; include /etc/nginx/fastcgi_params;
        fastcgi_param SCRIPT_FILENAME ${site.root}/index.php; fastcgi_pass php; fastcgi_keep_conn on;`,
        `upstream php { server unix:${socket}; keepalive ${site.workers}; }`,
      ),
    ]
  },
}
