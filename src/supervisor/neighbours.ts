/** Other supervisors of this machine, for whoever has asked for one that does not run. */
import { readdirSync } from 'node:fs'
import { createConnection } from 'node:net'
import { basename, dirname, join } from 'node:path'

/** More are not named. */
const MOST = 8
const LONGEST_WAIT_MS = 200

/** The admin sockets beside `path` on which somebody answers. */
export async function neighboursOf(path: string): Promise<string[]> {
  const answering = await Promise.all(
    socketsIn(dirname(path))
      .filter((name) => name !== basename(path))
      .slice(0, MOST)
      .map(async (name) => {
        const neighbour = join(dirname(path), name)
        return (await answers(neighbour)) ? [neighbour] : []
      }),
  )
  return answering.flat()
}

function socketsIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isSocket() && entry.name.endsWith('.sock'))
      .map((entry) => entry.name)
      .sort()
  } catch {
    return []
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ path, timeout: LONGEST_WAIT_MS })
    const over = (answered: boolean): void => {
      socket.destroy()
      resolve(answered)
    }
    socket.once('connect', () => over(true))
    socket.once('timeout', () => over(false))
    socket.once('error', () => over(false))
  })
}
