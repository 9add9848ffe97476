/** Connections for what is written to disks and sent to brokers: the next command waits for the reply. */
import type { Reply } from '../wire/resp.ts'
import { Connection } from './connection.ts'

/** So many jobs are put at a time; further ones wait for those before. */
const MOST = 16
/** A broker may be restarting, ms. */
const TIMEOUT_MS = 30_000

interface Lane {
  readonly connection: Connection
  waiting: number
}

const lanes: Lane[] = []

export async function askJobs(command: readonly string[]): Promise<Reply> {
  const lane = pick()
  lane.waiting++
  try {
    return await lane.connection.ask(command, TIMEOUT_MS)
  } finally {
    lane.waiting--
  }
}

/** One that is idle, a new one, or that with the fewest who wait. */
function pick(): Lane {
  for (let at = lanes.length - 1; at >= 0; at--) {
    if (!lanes[at]!.connection.isOpen) lanes.splice(at, 1)
  }
  const least = lanes.reduce<Lane | null>(
    (best, lane) => (best === null || lane.waiting < best.waiting ? lane : best),
    null,
  )
  if (least !== null && (least.waiting === 0 || lanes.length === MOST)) return least
  const lane = { connection: new Connection(), waiting: 0 }
  lanes.push(lane)
  return lane
}
