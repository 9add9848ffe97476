import type { SiteFile } from '../../../../src/index.ts'

const routes: SiteFile['routes'] = { '/': { proxy: 'backend' } }

export default { routes, hots: {} }
