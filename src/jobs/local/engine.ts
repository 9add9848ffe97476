/** The engine of one machine: a file of SQLite, written ahead and waited for before a job counts as taken. */
import { randomBytes } from 'node:crypto'
import type {
  EngineEvents,
  Job,
  JobEngine,
  JobFacts,
  Lease,
  Leased,
  Outcome,
  QueueFacts,
  Records,
} from '../engine.ts'
import { StoreFile } from './file.ts'

export interface LocalOptions {
  /** Of the file; `-wal` is added for the log that is written ahead. */
  readonly path: string
  /** Bytes; 0: no bound but the disk's. */
  readonly largest: number
}

/** Rejects with a JobError when the file cannot be used. */
export async function openLocal(options: LocalOptions, events: EngineEvents): Promise<JobEngine> {
  const file = await StoreFile.open(options.path, options.largest)
  // No receipt of an earlier life of this process means anything in this one.
  const life = randomBytes(6).toString('base64url')
  let receipts = 0
  return {
    name: 'local',
    records: localRecords(file, events),
    async put(job: Job): Promise<string> {
      const id = await file.ask<string>({ op: 'put', job })
      if (id === job.id) events.work(job.queue)
      return id
    },
    lease(queue: string, most: number): Promise<Leased> {
      return file.ask({ op: 'lease', queue, most, receipt: `${life}.${++receipts}` })
    },
    settle({ id, receipt }: Lease, outcome: Outcome): Promise<boolean> {
      return file.ask({ op: 'settle', lease: { id, receipt }, outcome })
    },
    close: () => file.close(),
  }
}

function localRecords(file: StoreFile, events: EngineEvents): Records {
  return {
    find: (id): Promise<JobFacts | null> => file.ask({ op: 'find', id }),
    cancel: (id): Promise<boolean> => file.ask({ op: 'cancel', id }),
    queues: (): Promise<readonly QueueFacts[]> => file.ask({ op: 'queues' }),
    list: (queue, state, most): Promise<readonly JobFacts[]> =>
      file.ask({ op: 'list', queue, state, most }),
    async revive(which): Promise<number> {
      const facts =
        'id' in which ? await file.ask<JobFacts | null>({ op: 'find', id: which.id }) : which
      const count = await file.ask<number>({ op: 'revive', which })
      if (count > 0 && facts !== null) events.work(facts.queue)
      return count
    },
    drop: (which): Promise<number> => file.ask({ op: 'drop', which }),
  }
}
