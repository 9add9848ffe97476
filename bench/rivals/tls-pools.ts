/** Pools whose one server is asked over TLS and verified, as every proxy has them. The first port is TLS's. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cannotServe, type Rival, type Site } from '../harness/rival.ts'
import { haproxy } from './haproxy.ts'
import { nginx as command, nginxVersion } from './nginx-config.ts'
import { PORTICO, portico, siteOf } from './portico.ts'

function portOf(name: string, site: Site): number {
  return site.kind === 'pool' ? site.upstreamPorts[0]! : cannotServe(name, site)
}

/** `ca` tells the PEM file of who has signed the server's certificate, which is for `localhost`. */
export function porticoTls(ca: () => string, scheme: 'https' | 'h2', name: string): Rival {
  return {
    ...portico,
    name,
    serve(site, dir, port) {
      const file = join(dir, 'site.yaml')
      const content = `hosts: { "*": { /: { proxy: backend } } }
pools:
  backend:
    servers: ["${scheme}://127.0.0.1:${portOf(name, site)}"]
    tls: { ca: "${ca()}", server-name: localhost }
`
      writeFileSync(file, siteOf(content, dir, `127.0.0.1:${port}`))
      return [{ argv: [PORTICO, 'serve', file], cwd: dir }]
    },
  }
}

export function nginxTls(ca: () => string): Rival {
  return {
    name: 'nginx',
    version: nginxVersion,
    serve(site, dir, port) {
      const upstream = `upstream backend {
        server 127.0.0.1:${portOf('nginx', site)};
        keepalive 64;
        keepalive_requests 100000000;
      }`
      const pass = `proxy_pass https://backend; proxy_http_version 1.1; proxy_set_header Connection "";
        proxy_ssl_verify on; proxy_ssl_trusted_certificate ${ca()}; proxy_ssl_name localhost;
        proxy_ssl_server_name on; proxy_ssl_protocols TLSv1.2 TLSv1.3; proxy_set_header Host $host;`
      return [command(dir, port, pass, upstream)]
    },
  }
}

export function haproxyTls(ca: () => string): Rival {
  return {
    ...haproxy,
    serve(site, dir, port) {
      const file = join(dir, 'haproxy.cfg')
      writeFileSync(
        file,
        `global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout connect 5s
  timeout client 75s
  timeout server 60s
frontend visitors
  bind 127.0.0.1:${port}
  default_backend upstream
backend upstream
  http-reuse always
  server s 127.0.0.1:${portOf('HAProxy', site)} ssl verify required ca-file ${ca()} sni str(localhost) verifyhost localhost
`,
      )
      return [{ argv: ['haproxy', '-f', file, '-db'] }]
    },
  }
}

/** nginx that answers over TLS on `port`, with HTTP/2 where it is offered, and plainly on its own. */
export function nginxBehindTls(port: number, certificate: string, key: string): Rival {
  return {
    name: 'nginx over TLS',
    version: nginxVersion,
    serve(site, dir, own) {
      const body = site.kind === 'fixed' ? site.body : cannotServe('nginx over TLS', site)
      const answer = `return 200 '${body}';`
      const server = `server {
        listen 127.0.0.1:${port} ssl http2 backlog=4096;
        ssl_certificate ${certificate}; ssl_certificate_key ${key}; ssl_protocols TLSv1.2 TLSv1.3;
        location / { default_type text/plain; ${answer} }
      }`
      return [command(dir, own, `default_type text/plain; ${answer}`, server)]
    },
  }
}
