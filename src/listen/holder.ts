/** Who holds a port: read from /proc, so that "address in use" can name the program. */
import { readdir, readFile, readlink } from 'node:fs/promises'

const LISTEN = '0A'

/** Inodes of the sockets that listen on `port`, from the kernel's table of one family. */
function listeningInodes(table: string, port: number): string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  const inodes: string[] = []
  for (const line of table.split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/)
    const inode = fields[9]
    if (inode !== undefined && fields[3] === LISTEN && fields[1]?.endsWith(`:${wanted}`)) {
      inodes.push(inode)
    }
  }
  return inodes
}

async function tables(port: number): Promise<Set<string>> {
  const texts = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map((path) => readFile(path, 'utf8').catch(() => '')),
  )
  return new Set(texts.flatMap((text) => listeningInodes(text, port)).map((i) => `socket:[${i}]`))
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
export async function portHolder(port: number): Promise<string> {
  const sockets = await tables(port)
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
