import type { SiteFile } from 'portico'

const routes: SiteFile['routes'] = { '/': { proxy: 'backend' } }

export default { routes, hots: {} }
