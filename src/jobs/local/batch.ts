/**
 * Many requests as one transaction, so that they share one wait for the disk (group commit). Where that
 * fails, each is tried alone: one job too many for the disk takes no other down with it.
 */
import {
  type Job,
  JobError,
  type JobErrorCode,
  type Lease,
  type LivingState,
  type Outcome,
  type Which,
} from '../engine.ts'
import type { Store } from './store.ts'

export type StoreRequest =
  | { readonly op: 'put'; readonly job: Job }
  | {
      readonly op: 'lease'
      readonly queue: string
      readonly most: number
      readonly receipt: string
    }
  | { readonly op: 'settle'; readonly lease: Lease; readonly outcome: Outcome }
  | {
      readonly op: 'note'
      readonly job: Job
      readonly state: 'done' | 'cancelled'
      readonly result: Uint8Array | null
    }
  | { readonly op: 'find'; readonly id: string }
  | { readonly op: 'cancel'; readonly id: string }
  | { readonly op: 'queues' }
  | {
      readonly op: 'list'
      readonly queue: string
      readonly state: LivingState
      readonly most: number
    }
  | { readonly op: 'revive'; readonly which: Which }
  | { readonly op: 'drop'; readonly which: Which }
  | { readonly op: 'forget' }

/** What became of a request: its value, or why there is none. */
export type StoreAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: JobErrorCode; readonly message: string }

/** A crash of the machine may undo these: jobs in hand are given back then anyway, results are no promises. */
const light: ReadonlySet<StoreRequest['op']> = new Set(['lease', 'note', 'forget'])
const reading: ReadonlySet<StoreRequest['op']> = new Set(['find', 'queues', 'list'])

/** In the order of the requests. `path` is for messages. */
export function runBatch(
  store: Store,
  requests: readonly StoreRequest[],
  now: number,
  path: string,
): StoreAnswer[] {
  if (requests.every(({ op }) => reading.has(op))) {
    return requests.map((request) => attempt(() => step(store, request, now), path))
  }
  store.durable(!requests.every(({ op }) => light.has(op) || reading.has(op)))
  try {
    return store.transaction(() =>
      requests.map((request) => ({ ok: true, value: step(store, request, now) })),
    )
  } catch (error) {
    if (requests.length === 1) return [failed(error, path)]
    return requests.map((request) =>
      attempt(() => store.transaction(() => step(store, request, now)), path),
    )
  }
}

function attempt(work: () => unknown, path: string): StoreAnswer {
  try {
    return { ok: true, value: work() }
  } catch (error) {
    return failed(error, path)
  }
}

function step(store: Store, request: StoreRequest, now: number): unknown {
  switch (request.op) {
    case 'put':
      return store.put(request.job, now)
    case 'lease':
      return store.lease(request.queue, request.most, request.receipt, now)
    case 'settle':
      return store.settle(request.lease, request.outcome, now)
    case 'note':
      return store.note(request.job, request.state, request.result, now)
    case 'find':
      return store.find(request.id, now)
    case 'cancel':
      return store.cancel(request.id, now)
    case 'queues':
      return store.queues(now)
    case 'list':
      return store.list(request.queue, request.state, request.most)
    case 'revive':
      return store.revive(request.which)
    case 'drop':
      return store.drop(request.which)
    case 'forget':
      return store.forget(now)
  }
}

/** https://sqlite.org/rescode.html */
const Code = {
  BUSY: 5,
  READONLY: 8,
  IOERR: 10,
  CORRUPT: 11,
  FULL: 13,
  CANTOPEN: 14,
  NOTADB: 26,
} as const

/** SQLite's failures in the owner's words. */
export function failed(error: unknown, path: string): StoreAnswer & { readonly ok: false } {
  if (error instanceof JobError) return { ok: false, code: error.code, message: error.message }
  const said = error instanceof Error ? error.message : String(error)
  const number = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0
  const say = (code: JobErrorCode, message: string): StoreAnswer & { readonly ok: false } => ({
    ok: false,
    code,
    message,
  })
  switch (number) {
    case Code.FULL:
      return say('FULL', `no room for jobs in ${path}: free space on the disk, or raise jobs.size`)
    case Code.IOERR:
      return say('FULL', `${path} cannot be written (${said}): look at the disk and its limits`)
    case Code.BUSY:
      return say('BROKEN', `${path} is another process’s: one running site only may use it`)
    case Code.CORRUPT:
    case Code.NOTADB:
      return say('BROKEN', `${path} is damaged (${said}): move it away to begin with a new one`)
    case Code.READONLY:
    case Code.CANTOPEN:
      return say(
        'BROKEN',
        `${path} cannot be opened for writing (${said}): check its folder’s owner`,
      )
    default:
      return say('BROKEN', `${path}: ${said}`)
  }
}
