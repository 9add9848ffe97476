import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PYTHON } from '../harness/machine.ts'
import { cannotServe, Missing, type Rival, type Site } from '../harness/rival.ts'
import { VENV_PYTHON } from '../harness/venv.ts'

const ROOT = join(import.meta.dirname, '../..')
const APPS = join(ROOT, 'bench/apps')
export const FETCH_APP: string = join(APPS, 'fetch-hello.ts')
export const PORTICO: string = join(ROOT, 'bin/portico')

/** Us: one server thread, since there is one core for everybody. */
export const portico: Rival = {
  name: 'Portico',
  version() {
    if (!existsSync(PORTICO)) throw new Missing('bin/portico', 'run this from a whole checkout')
    return JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version
  },
  serve(site, dir, port) {
    const file = join(dir, 'site.yaml')
    writeFileSync(file, siteFile(site, dir, on(site, port)))
    return [{ argv: [PORTICO, 'serve', file], cwd: dir }]
  },
}

function on(site: Site, port: number): string {
  return site.kind === 'tcp' ? `tcp://127.0.0.1:${port}` : `127.0.0.1:${port}`
}

/** The site file for `site`, listening on the address `on`. */
export function siteFile(site: Site, dir: string, on: string): string {
  return siteOf(content(site), dir, on)
}

/** The site file with the given routes and applications. */
export function siteOf(content: string, dir: string, on: string): string {
  return `listen: { on: "${on}"${on.startsWith('tcp:') ? ', pool: backend' : ''} }
threads: 1
admin: ${dir}/admin.sock
log: { access: off }
limits: { connections: 10000 }
${content}`
}

function content(site: Site): string {
  switch (site.kind) {
    case 'wsgi':
      return `hosts: { "*": { /: { app: bench } } }
apps:
  bench: { python: "${site.module}:application", interpreter: ${PYTHON}, dir: ${APPS}, workers: ${site.workers} }
`
    case 'asgi':
      // In the rivals' environment: with the same interpreter and the same uvloop.
      return `hosts: { "*": { /: { app: bench } } }
apps:
  bench: { python: "${site.module}:application", interpreter: ${VENV_PYTHON}, dir: ${APPS}, workers: ${site.workers} }
`
    case 'php':
      return `hosts: { "*": { /: { app: bench } } }
apps: { bench: { php: ${site.root}, workers: ${site.workers} } }
${process.getuid?.() === 0 ? 'user: www-data\n' : ''}`
    case 'cgi':
      return `hosts: { "*": { /: { cgi: ${site.root}, concurrency: ${site.programs} } } }
${process.getuid?.() === 0 ? 'user: root\n' : ''}`
    case 'fetch':
      return `hosts: { "*": { /: { app: bench } } }
apps: { bench: { node: ${FETCH_APP}, run: threads } }
`
    case 'files':
      return `hosts: { "*": { /: { files: ${site.root} } } }\n`
    case 'fixed':
      return `hosts: { "*": { /: { respond: "${site.body}" } } }\n`
    case 'proxy':
      return `hosts: { "*": { /: { proxy: backend${gzip(site.gzip)} } } }
pools:
  backend: { servers: ["127.0.0.1:${site.upstreamPort}"] }
`
    case 'tcp':
      return `pools: { backend: { servers: ["127.0.0.1:${site.upstreamPort}"] } }\n`
    case 'pool':
      return cannotServe('Portico', site)
  }
}

function gzip(level: number | undefined): string {
  return level === undefined ? '' : `, compress: { codings: gzip, gzip: ${level} }`
}
