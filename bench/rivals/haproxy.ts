import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { apt, versionOf } from '../harness/machine.ts'
import { cannotServe, type Rival, type Site } from '../harness/rival.ts'

/** HAProxy with one thread: fixed answers and proxying. */
export const haproxy: Rival = {
  name: 'HAProxy',
  version: () => versionOf(['haproxy', '-v'], /version (\d[\d.]+)/, apt('haproxy')),
  serve(site, dir, port) {
    const file = join(dir, 'haproxy.cfg')
    writeFileSync(file, config(site, port))
    return [{ argv: ['haproxy', '-f', file, '-db'] }]
  },
}

function config(site: Site, port: number): string {
  const shared = `global
  nbthread 1
  maxconn 8000
  maxpipes 256
defaults
  mode ${site.kind === 'tcp' ? 'tcp' : 'http'}
  timeout connect 5s
  timeout client 75s
  timeout server 60s
frontend visitors
  bind 127.0.0.1:${port}
`
  if (site.kind === 'fixed') {
    return `${shared}  http-request return status 200 content-type text/plain string "${site.body}"\n`
  }
  if (site.kind === 'proxy') {
    return `${shared}  default_backend upstream
backend upstream
  http-reuse always
  server one 127.0.0.1:${site.upstreamPort}
`
  }
  if (site.kind === 'tcp') {
    return `${shared}  default_backend upstream
backend upstream
  option splice-auto
  server one 127.0.0.1:${site.upstreamPort}
`
  }
  return cannotServe('HAProxy', site)
}
