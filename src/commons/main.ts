/** The commons process. Talks to the supervisor over its IPC channel, and ends with it. */
import { JobsOffice } from '../jobs/office.ts'
import { adopt } from '../listen/adopt.ts'
import { textOf } from '../wire/resp.ts'
import type { CommonsStatus, FromCommons, ToCommons } from './protocol.ts'
import { CommonsServer } from './server.ts'

/** What a broker may take to hear what is given back, ms. */
const LEAVE_MS = 500

/** However many are raised, the supervisor has other things to do. */
const SIGNAL_EVERY_MS = 5
const MOST_RAISED = 1000

let server: CommonsServer | null = null
let office: JobsOffice | null = null

function tell(message: FromCommons): void {
  if (process.connected) process.send!(message)
}

function complain(error: unknown): void {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  tell({ type: 'log', level: 'error', message: `commons: ${message}` })
}

/** Signals that the supervisor has not been told of. Raised twice before it hears, one is told once. */
const raised = new Set<string>()
let telling = false

function raise(name: string): void {
  if (raised.size < MOST_RAISED) raised.add(name)
  if (telling) return
  const [next] = raised
  if (next === undefined) return
  raised.delete(next)
  telling = true
  tell({ type: 'signal', name: next })
  setTimeout(() => {
    telling = false
    const [other] = raised
    if (other !== undefined) raise(other)
  }, SIGNAL_EVERY_MS)
}

async function start(message: Extract<ToCommons, { type: 'start' }>): Promise<void> {
  const { limits, jobs, listeners, accepted, become } = message
  office = new JobsOffice(jobs, (text) => tell({ type: 'log', level: 'warn', message: text }))
  const made = new CommonsServer(limits, complain, office)
  made.commons.signalled = (name) => raise(textOf(name))
  if (become !== null) {
    process.setgroups!([])
    process.setgid!(become.gid)
    process.setuid!(become.uid)
  }
  for (const { fd, speaks } of accepted) adopt(fd, (stream) => made.connect(speaks, stream))
  await Promise.all(listeners.map(({ speaks, ...on }) => made.listen(speaks, on)))
  server = made
  office.begin()
  tell({ type: 'ready' })
}

async function status(from: CommonsServer): Promise<CommonsStatus> {
  const jobs = (await office?.queues()) ?? []
  const { commons } = from
  const { memory, sieve, spaces } = commons
  return {
    clients: commons.clients.size,
    connections: commons.connections,
    commands: commons.commands,
    keys: spaces.reduce((sum, space) => sum + space.size, 0),
    used: memory.used,
    limit: memory.limit,
    evicted: sieve.evicted,
    expired: spaces.reduce((sum, space) => sum + space.expired, 0),
    hits: commons.hits,
    misses: commons.misses,
    rss: process.memoryUsage.rss(),
    uptimeMs: Math.round(performance.now() - commons.startedAt),
    metrics: commons.metrics(),
    jobs: jobs.map(({ oldestAt, ...facts }) => ({
      ...facts,
      oldestMs: oldestAt === 0 ? 0 : Math.max(0, Date.now() - oldestAt),
    })),
  }
}

process.on('message', (message: ToCommons) => {
  switch (message.type) {
    case 'start':
      start(message).catch((error: unknown) => {
        tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) })
      })
      return
    case 'jobs':
      office?.change(message.jobs)
      office?.begin()
      return
    case 'status':
      if (server === null) return
      void status(server).then((facts) => tell({ type: 'status', ask: message.ask, status: facts }))
  }
})

// Without a supervisor nobody could ever stop this process.
process.on('disconnect', () => {
  setTimeout(() => process.exit(0), LEAVE_MS).unref()
  void Promise.resolve(office?.close()).then(() => process.exit(0))
})
// A terminal's Ctrl-C reaches the whole process group; the supervisor decides when we end.
process.on('SIGINT', () => {})
process.on('SIGHUP', () => {})
