/** A fixed answer over TLS, each as it comes, with the same certificate and no sessions kept but tickets. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cannotServe, type Rival, type Site } from '../harness/rival.ts'
import { haproxy } from './haproxy.ts'
import { nginx as command, nginxVersion } from './nginx-config.ts'
import { PORTICO, portico, siteOf } from './portico.ts'

/** Where the certificate and its key are. */
export interface Files {
  readonly cert: string
  readonly key: string
}

function bodyOf(name: string, site: Site): string {
  return site.kind === 'fixed' ? site.body : cannotServe(name, site)
}

export function porticoOverTls(files: () => Files): Rival {
  return {
    ...portico,
    serve(site, dir, port) {
      const file = join(dir, 'site.yaml')
      const { cert, key } = files()
      const body = bodyOf('Portico', site)
      const content = `tls: { certificates: { cert: ${cert}, key: ${key} } }
hosts: { "*": { /: { respond: "${body}" } } }
`
      writeFileSync(file, siteOf(content, dir, `https://127.0.0.1:${port}`))
      return [{ argv: [PORTICO, 'serve', file], cwd: dir }]
    },
  }
}

export function nginxOverTls(files: () => Files): Rival {
  return {
    name: 'nginx',
    version: nginxVersion,
    serve(site, dir, port) {
      const { cert, key } = files()
      const answer = `default_type text/plain; return 200 "${bodyOf('nginx', site)}";`
      const http = `ssl_certificate ${cert}; ssl_certificate_key ${key}; ssl_protocols TLSv1.2 TLSv1.3;`
      return [command(dir, port, answer, http, 1, ' ssl')]
    },
  }
}

export function haproxyOverTls(files: () => Files): Rival {
  return {
    ...haproxy,
    serve(site, dir, port) {
      const { cert } = files()
      const file = join(dir, 'haproxy.cfg')
      const body = bodyOf('HAProxy', site)
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
  bind 127.0.0.1:${port} ssl crt ${cert}
  http-request return status 200 content-type text/plain string "${body}"
`,
      )
      return [{ argv: ['haproxy', '-f', file, '-db'] }]
    },
  }
}
