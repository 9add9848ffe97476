/** Figures of each queue of jobs. */
import type { QueueStatus } from '../../commons/protocol.ts'
import { gauge, type Metric, type Of, type PlainMetric } from '../metric.ts'

function perQueue(value: Of<QueueStatus, number>): PlainMetric['read'] {
  return ({ commons }) =>
    (commons?.jobs ?? []).map((jobs) => ({ labels: [jobs.queue], value: value(jobs) }))
}

const QUEUE = ['queue']
export const JOBS: readonly Metric[] = [
  gauge(
    'jobs_waiting',
    'jobs.{queue}.waiting',
    'Jobs of the queue that nobody has begun. These figures are there once jobs were used, and some seconds old where there are very many.',
    QUEUE,
    perQueue((jobs) => jobs.waiting),
  ),
  gauge(
    'jobs_delayed',
    'jobs.{queue}.delayed',
    'Jobs whose time has not come, those that are to be tried again among them; 0 with RabbitMQ, which does not tell.',
    QUEUE,
    perQueue((jobs) => jobs.delayed),
  ),
  gauge(
    'jobs_running',
    'jobs.{queue}.running',
    'Jobs in the hands of workers.',
    QUEUE,
    perQueue((jobs) => jobs.running),
  ),
  gauge(
    'jobs_dead',
    'jobs.{queue}.dead',
    'Dead letters: jobs that have failed for good.',
    QUEUE,
    perQueue((jobs) => jobs.dead),
  ),
  gauge(
    'jobs_oldest_seconds',
    'jobs.{queue}.oldest',
    'Since the oldest job that waits was put; 0 where none waits, and with RabbitMQ.',
    QUEUE,
    perQueue((jobs) => jobs.oldestMs / 1000),
  ),
]
