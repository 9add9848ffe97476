/**
 * What a process does beside answering requests: one file for each kind. Node cannot fork what is loaded:
 * each process loads the module that it needs, and no more of the application.
 */
import { dirname, join } from 'node:path'
import type { Role } from '../../runtime.ts'
import type { WorkerStart } from '../orders.ts'
import { offerPortico } from '../portico-module.ts'
import { divertListen, type Listening } from '../worker/listening.ts'
import { Thread } from '../worker/thread.ts'
import { call } from './call.ts'
import { jobs } from './jobs.ts'
import { mule } from './mule.ts'

export interface RoleProcess {
  readonly app: WorkerStart['app']
  readonly role: Role
  readonly thread: Thread
  /** What the application's modules do about listening, until that is restored. */
  readonly listening: Listening
}

/** Ends the process when it is over. */
type Kind = (process: RoleProcess) => Promise<void>

const kinds: Readonly<Record<string, Kind>> = { call, jobs, mule }

export function begin({ app, links, role = { kind: '' } }: WorkerStart): void {
  const kind = kinds[role.kind]
  if (kind === undefined) throw new Error(`no kind of role: ${role.kind}`)
  offerPortico()
  // A module that serves when it is loaded is not to do so here as well.
  const listening = divertListen(join(dirname(links[0]!), `http-${process.pid}.sock`))
  void kind({ app, role, listening, thread: new Thread(role) })
}
