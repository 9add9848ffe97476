import { type Command, cannotServe, type Rival, type Site } from '../harness/rival.ts'
import { nginx as command, nginxVersion } from './nginx-config.ts'

/** nginx alone: files, fixed answers, proxying. */
export const nginx: Rival = {
  name: 'nginx',
  version: nginxVersion,
  serve: (site, dir, port) => [serve(site, dir, port)],
}

/** The same with its cache of open files, which Debian does not turn on. */
export const nginxOpenFileCache: Rival = {
  name: 'nginx open_file_cache',
  version: nginxVersion,
  serve: (site, dir, port) => [
    serve(site, dir, port, 'open_file_cache max=1000 inactive=60s; open_file_cache_valid 60s;'),
  ],
}

/** Over HTTP/2 alone, without TLS. */
export const nginxHttp2: Rival = {
  name: 'nginx',
  version: nginxVersion,
  serve: (site, dir, port) => [serve(site, dir, port, '', ' http2')],
}

function serve(site: Site, dir: string, port: number, http = '', listen = ''): Command {
  switch (site.kind) {
    case 'files':
      return command(dir, port, `root ${site.root};`, http, 1, listen)
    case 'fixed': {
      const answer = `default_type text/plain; return 200 "${site.body}";`
      return command(dir, port, answer, http, 1, listen)
    }
    case 'proxy': {
      const upstream = `upstream backend {
        server 127.0.0.1:${site.upstreamPort};
        keepalive 64;
        keepalive_requests 100000000;
      }`
      const pass =
        'proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection "";'
      return command(dir, port, `${pass} proxy_set_header Host $host;`, upstream + gzip(site.gzip))
    }
    default:
      return cannotServe('nginx', site)
  }
}

function gzip(level: number | undefined): string {
  if (level === undefined) return ''
  return `gzip on; gzip_comp_level ${level}; gzip_types *; gzip_proxied any; gzip_min_length 1024; gzip_vary on;`
}
