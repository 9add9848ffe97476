/** Who holds a port: read from /proc, so that "address in use" can name the program. */
import { readdir, readFile, readlink } from 'node:fs/promises'

/** The kernel's tables of sockets, and the state in which a socket of each holds its port. */
const TABLES = {
  tcp: { paths: ['/proc/net/tcp', '/proc/net/tcp6'], state: '0A' },
  udp: { paths: ['/proc/net/udp', '/proc/net/udp6'], state: '07' },
} as const

/** Inodes of the sockets in `state` on `port`, from the kernel's table of one family. */
function inodesOn(table: string, state: string, port: number): string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  const inodes: string[] = []
  for (const line of table.split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/)
    const inode = fields[9]
    if (inode !== undefined && fields[3] === state && fields[1]?.endsWith(`:${wanted}`)) {
      inodes.push(inode)
    }
  }
  return inodes
}

async function socketsOn(kind: keyof typeof TABLES, port: number): Promise<Set<string>> {
  const { paths, state } = TABLES[kind]
  const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8').catch(() => '')))
  return new Set(texts.flatMap((text) => inodesOn(text, state, port)).map((i) => `socket:[${i}]`))
}

async function holds(pid: string, sockets: ReadonlySet<string>): Promise<boolean> {
  const fds = await readdir(`/proc/${pid}/fd`).catch((): string[] => [])
  for (const fd of fds) {
    const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')
    if (sockets.has(target)) return true
  }
  return false
}

/**
 * `nginx (pid 812)`, or '' when it cannot be told: not Linux, or the program is another user's.
 */
export async function portHolder(kind: keyof typeof TABLES, port: number): Promise<string> {
  const sockets = await socketsOn(kind, port)
  if (sockets.size === 0) return ''
  const pids = (await readdir('/proc').catch((): string[] => [])).filter((n) => /^\d+$/.test(n))
  for (const pid of pids) {
    if (!(await holds(pid, sockets))) continue
    if (Number(pid) === process.pid) return 'another listener of this site'
    const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')
    return `${name.trim() || 'a program'} (pid ${pid})`
  }
  return ''
}
