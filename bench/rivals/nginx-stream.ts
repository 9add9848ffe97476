import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { apt, versionOf } from '../harness/machine.ts'
import { cannotServe, type Rival } from '../harness/rival.ts'

/** nginx's stream module with one process: bytes passed on as they are. */
export const nginxStream: Rival = {
  name: 'nginx stream',
  version: () => versionOf(['nginx', '-v'], /nginx\/(\S+)/, apt('nginx-light libnginx-mod-stream')),
  serve(site, dir, port) {
    if (site.kind !== 'tcp') return cannotServe('nginx stream', site)
    const config = join(dir, 'nginx.conf')
    const user = process.getuid?.() === 0 ? 'user root;' : ''
    writeFileSync(
      config,
      `load_module /usr/lib/nginx/modules/ngx_stream_module.so;
${user}
daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log warn;
events { worker_connections 16000; }
stream {
  server { listen 127.0.0.1:${port} backlog=4096; proxy_pass 127.0.0.1:${site.upstreamPort}; }
}
`,
    )
    return [{ argv: ['nginx', '-c', config, '-p', dir, '-e', join(dir, 'error.log')] }]
  },
}
