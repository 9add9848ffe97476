/** Figures of each place for a worker. */
import type { WorkerStatus } from '../../supervisor/status.ts'
import { counter, gauge, type Metric, type Of, type PlainMetric } from '../metric.ts'

function perWorker(value: Of<WorkerStatus, number>): PlainMetric['read'] {
  return ({ apps }) =>
    Object.entries(apps).flatMap(([name, { workers }]) =>
      workers.map((worker) => ({ labels: [name, String(worker.slot)], value: value(worker) })),
    )
}

const WORKER = ['app', 'worker']
export const WORKERS: readonly Metric[] = [
  counter(
    'worker_requests',
    'worker.{app}.{worker}.requests',
    'Requests in this place for a worker, in this generation.',
    WORKER,
    perWorker((worker) => worker.requests),
  ),
  counter(
    'worker_errors',
    'worker.{app}.{worker}.errors',
    'Of these, those that were answered with 5xx.',
    WORKER,
    perWorker((worker) => worker.errors),
  ),
  gauge(
    'worker_active',
    'worker.{app}.{worker}.active',
    'Requests in its hands.',
    WORKER,
    perWorker((worker) => worker.inHand),
  ),
  counter(
    'worker_running_seconds',
    'worker.{app}.{worker}.running',
    'Time that its requests took.',
    WORKER,
    perWorker((worker) => worker.runMs / 1000),
  ),
  counter(
    'worker_restarts',
    'worker.{app}.{worker}.restarts',
    'How often another worker came into this place, in this generation.',
    WORKER,
    perWorker((worker) => worker.restarts),
  ),
  gauge(
    'worker_age_seconds',
    'worker.{app}.{worker}.age',
    'Since the worker was started.',
    WORKER,
    perWorker((worker) => worker.uptimeMs / 1000),
  ),
  gauge(
    'worker_resident_memory_bytes',
    'worker.{app}.{worker}.memory',
    'Its resident memory; pages that it shares with its siblings count for each.',
    WORKER,
    perWorker((worker) => worker.rss),
  ),
  gauge(
    'worker_virtual_memory_bytes',
    'worker.{app}.{worker}.address_space',
    'Its address space.',
    WORKER,
    perWorker((worker) => worker.vsz),
  ),
  counter(
    'worker_cpu_seconds',
    'worker.{app}.{worker}.cpu',
    'User and system time of the worker that has this place.',
    WORKER,
    perWorker((worker) => worker.cpuMs / 1000),
  ),
]
