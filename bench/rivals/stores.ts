/** What applications share, and the programs that are used for it elsewhere, each on a unix socket. */
import { execFileSync } from 'node:child_process'

export interface Store {
  readonly name: string
  readonly speaks: 'resp' | 'memcached'
  version(): string
  /** The command that serves on `socket`, with 64 MB. */
  command(socket: string, folder: string): readonly string[]
}

const SERVE = new URL('../apps/commons.ts', import.meta.url).pathname

export const stores: readonly Store[] = [
  {
    name: 'portico',
    speaks: 'resp',
    version: () => 'this one',
    command: (socket) => [process.execPath, SERVE, 'resp', socket],
  },
  {
    name: 'portico (memcached protocol)',
    speaks: 'memcached',
    version: () => 'this one',
    command: (socket) => [process.execPath, SERVE, 'memcached', socket],
  },
  {
    name: 'redis-server',
    speaks: 'resp',
    version: () => firstLine('redis-server', '--version'),
    command: (socket, folder) => [
      ...['redis-server', '--port', '0', '--unixsocket', socket, '--dir', folder],
      ...['--save', '', '--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru'],
    ],
  },
  {
    name: 'memcached (1 thread)',
    speaks: 'memcached',
    version: () => firstLine('memcached', '--version'),
    command: (socket) => ['memcached', '-u', 'root', '-t', '1', '-m', '64', '-s', socket],
  },
]

function firstLine(file: string, argument: string): string {
  return execFileSync(file, [argument], { encoding: 'utf8' }).split('\n')[0]!
}
