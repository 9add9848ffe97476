/** Pools of several servers, as every proxy has them: with the same scheduler and the same time-outs. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cannotServe, type Rival, type Site } from '../harness/rival.ts'
import { haproxy } from './haproxy.ts'
import { nginx as command, nginxVersion } from './nginx-config.ts'
import { PORTICO, portico, siteOf } from './portico.ts'

/** How many threads, or workers of nginx, there are. */
export interface PoolOptions {
  readonly threads: number
  readonly schedule: 'round-robin' | 'least-connections'
}

function portsOf(name: string, site: Site): readonly number[] {
  return site.kind === 'pool' ? site.upstreamPorts : cannotServe(name, site)
}

/** `more`: other settings of the pool. */
export function porticoPool(
  { threads, schedule }: PoolOptions,
  name = 'Portico',
  more = '',
): Rival {
  return {
    ...portico,
    name,
    serve(site, dir, port) {
      const servers = portsOf(name, site).map((upstream) => `"127.0.0.1:${upstream}"`)
      const file = join(dir, 'site.yaml')
      const content = `hosts: { "*": { /: { proxy: backend } } }
pools:
  backend: { servers: [${servers.join(', ')}], schedule: ${schedule}${more} }
`
      const text = siteOf(content, dir, `127.0.0.1:${port}`)
      writeFileSync(file, text.replace('threads: 1', `threads: ${threads}`))
      return [{ argv: [PORTICO, 'serve', file], cwd: dir }]
    },
  }
}

/** `zone`: its workers share what they know. */
export function nginxPool({ threads, schedule }: PoolOptions, name = 'nginx', zone = false): Rival {
  return {
    name,
    version: nginxVersion,
    serve(site, dir, port) {
      const servers = portsOf(name, site).map((upstream) => `server 127.0.0.1:${upstream};`)
      const upstream = `upstream backend {
        ${zone ? 'zone backend 64k;' : ''}
        ${schedule === 'least-connections' ? 'least_conn;' : ''}
        ${servers.join(' ')}
        keepalive 64;
        keepalive_requests 100000000;
      }`
      const pass =
        'proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection "";'
      return [command(dir, port, `${pass} proxy_set_header Host $host;`, upstream, threads)]
    },
  }
}

export function haproxyPool({ threads, schedule }: PoolOptions): Rival {
  return {
    ...haproxy,
    serve(site, dir, port) {
      const servers = portsOf('HAProxy', site).map(
        (upstream, at) => `  server s${at} 127.0.0.1:${upstream}`,
      )
      const file = join(dir, 'haproxy.cfg')
      writeFileSync(
        file,
        `global
  nbthread ${threads}
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
  balance ${schedule === 'least-connections' ? 'leastconn' : 'roundrobin'}
  http-reuse always
${servers.join('\n')}
`,
      )
      return [{ argv: ['haproxy', '-f', file, '-db'] }]
    },
  }
}
