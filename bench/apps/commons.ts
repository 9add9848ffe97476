/** The commons alone: `node bench/apps/commons.ts resp|memcached SOCKET`. */
import { CommonsServer } from '../../src/commons/server.ts'

const [speaks = 'resp', path = ''] = process.argv.slice(2)
const limits = { size: 64 * 1024 ** 2, item: 1024 ** 2, connections: 1000 }
const server = new CommonsServer(limits, console.error)
await server.listen(speaks === 'memcached' ? 'memcached' : 'resp', { path })
