/** Figures of tasks and daemons. */
import type { ScheduleFacts } from '../../background/schedules.ts'
import { counter, gauge, type Metric, type Of, type PlainMetric } from '../metric.ts'

function perTask(value: Of<ScheduleFacts, number>): PlainMetric['read'] {
  return ({ background }) =>
    background.tasks.map((task) => ({
      labels: [task.app, task.kind, task.name],
      value: value(task),
    }))
}

const TASK = ['app', 'kind', 'task']
export const BACKGROUND: readonly Metric[] = [
  counter(
    'task_runs',
    'task.{app}.{kind}.{task}.runs',
    'Runs of crons, timers, file watches and signal handlers that have ended; `app` is empty for those of the site file.',
    TASK,
    perTask((task) => task.runs),
  ),
  counter(
    'task_failures',
    'task.{app}.{kind}.{task}.failures',
    'Those of them that failed.',
    TASK,
    perTask((task) => task.failures),
  ),
  counter(
    'task_skipped',
    'task.{app}.{kind}.{task}.skipped',
    'Runs that were left out because the last one still went on.',
    TASK,
    perTask((task) => task.skipped),
  ),
  gauge(
    'task_running',
    'task.{app}.{kind}.{task}.running',
    'Runs that go on.',
    TASK,
    perTask((task) => task.running.length),
  ),
  gauge(
    'task_duration_seconds',
    'task.{app}.{kind}.{task}.duration',
    'How long the last run took; 0 before the first.',
    TASK,
    perTask((task) => (task.last?.ms ?? 0) / 1000),
  ),
  gauge('daemon_up', 'daemon.{daemon}.up', '1: the daemon is ready.', ['daemon'], (status) =>
    status.background.daemons.map(({ name, state }) => ({
      labels: [name],
      value: state === 'running' ? 1 : 0,
    })),
  ),
  counter(
    'daemon_restarts',
    'daemon.{daemon}.restarts',
    'Times that it ended and was started again.',
    ['daemon'],
    (status) =>
      status.background.daemons.map(({ name, restarts }) => ({ labels: [name], value: restarts })),
  ),
]
