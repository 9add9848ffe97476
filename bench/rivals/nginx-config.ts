/** nginx as every rival that uses it starts it: one process, as Debian ships it, without access log. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { apt, versionOf } from '../harness/machine.ts'
import type { Command } from '../harness/rival.ts'

export function nginxVersion(): string {
  return versionOf(['nginx', '-v'], /nginx\/(\S+)/, apt('nginx-light'))
}

/**
 * `location` is what the only location holds; `http` is put before the server. A connection may make
 * any number of requests, so that wrk measures the same connections throughout. `listen` is added to
 * the listen directive.
 */
export function nginx(
  dir: string,
  port: number,
  location: string,
  http = '',
  workers = 1,
  listen = '',
): Command {
  const config = join(dir, 'nginx.conf')
  // As root, nginx would drop to a user who may not read the bench's private folder.
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  for (const name of ['body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']) {
    mkdirSync(join(dir, name), { recursive: true })
  }
  writeFileSync(
    config,
    `${user}
daemon off;
worker_processes ${workers};
worker_rlimit_nofile 20000;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log warn;
events { worker_connections 16000; }
http {
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  ${http}
  server {
    listen 127.0.0.1:${port} backlog=4096${listen};
    location / { ${location} }
  }
}
`,
  )
  return { argv: ['nginx', '-c', config, '-p', dir, '-e', join(dir, 'error.log')] }
}
