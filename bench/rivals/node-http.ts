import { join } from 'node:path'
import { cannotServe, type Rival } from '../harness/rival.ts'

const APP = join(import.meta.dirname, '../apps/http-hello.mjs')

/** Node alone, the same one that runs us. */
export const nodeHttp: Rival = {
  name: 'node:http',
  version: () => process.versions.node,
  serve(site, dir, port) {
    if (site.kind !== 'fetch') cannotServe(this.name, site)
    return [{ argv: [process.execPath, APP], cwd: dir, env: { PORT: String(port) } }]
  },
}
