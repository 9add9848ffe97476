/** Jobs: the part of the Plan that the setting `jobs`, and that of applications, become. */
import type { QueueLimits } from '../jobs/gate.ts'

/** What a job has that does not say otherwise. */
export interface JobDefaults {
  /** Attempts after a failed first one. */
  readonly retries: number
  readonly backoffMs: number
  /** How long its result is kept, ms; 0: not at all. */
  readonly keepMs: number
  /** Longest it may run, ms; 0: as its worker has it. */
  readonly deadlineMs: number
}

export interface QueuePlan extends JobDefaults, QueueLimits {
  /** The program that does the jobs of this queue, and its arguments; empty for none. */
  readonly run: readonly string[]
  /** How many of it run at a time. */
  readonly workers: number
  /** Absolute working directory of it. */
  readonly dir: string
}

export interface JobsPlan {
  /** `local`, or the address of a Redis or a RabbitMQ, with its password. */
  readonly engine: string
  /** Absolute folder for what has to be kept on this machine. */
  readonly folder: string
  /** Most bytes kept there; 0: no bound but the disk's. */
  readonly size: number
  /** The longest payload or result, bytes. */
  readonly payload: number
  readonly queues: Readonly<Record<string, QueuePlan>>
  /** Of queues that have no settings. */
  readonly usual: QueuePlan
}

/** Processes of an application that do jobs. */
export interface JobWorkersPlan {
  readonly workers: number
  /** The first that has a job is taken from. */
  readonly queues: readonly string[]
  /** Longest a job may run that does not say otherwise, ms; 0: no limit. */
  readonly deadlineMs: number
  /** A worker is replaced after so many jobs; 0: never. */
  readonly recycle: number
  /** Node: the module that exports them, from the folder of the application; absent: its own. */
  readonly module?: string
}

/** Whether any queue is worked off by programs. */
export function hasRunners(plan: JobsPlan): boolean {
  return Object.values(plan.queues).some(({ run }) => run.length > 0)
}
