import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cannotServe, type Rival } from '../harness/rival.ts'
import { FETCH_APP, PORTICO, portico, siteOf } from './portico.ts'

/** Us, with the application in a process of its own instead of the server's thread. */
export const porticoWorkers: Rival = {
  name: 'Portico, run: processes',
  version: portico.version,
  serve(site, dir, port) {
    if (site.kind !== 'fetch') cannotServe(this.name, site)
    const file = join(dir, 'site.yaml')
    const apps = `hosts: { "*": { /: { app: bench } } }
apps: { bench: { node: ${FETCH_APP}, workers: 1 } }
`
    writeFileSync(file, siteOf(apps, dir, `127.0.0.1:${port}`))
    return [{ argv: [PORTICO, 'serve', file], cwd: dir }]
  },
}
