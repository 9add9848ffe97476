/** Tasks, daemons and mules of a running site, for people. */
import type { BackgroundStatus } from '../background/background.ts'
import type { ScheduleFacts } from '../background/schedules.ts'
import { showTime, table } from './show.ts'

/** Longest description of times, characters. */
const WIDEST = 40

/** Empty where there is nothing. */
export function backgroundTables({ tasks, daemons, mules }: BackgroundStatus): string[][] {
  return [
    taskTable(tasks),
    daemons.length === 0
      ? []
      : table(
          [
            ['daemon', 'state', 'pid', 'up', 'restarts', 'last end'],
            ...daemons.map(({ name, state, pid, uptimeMs, restarts, lastEnd }) => [
              name,
              state,
              showPid(pid),
              showTime(uptimeMs),
              `${restarts}`,
              lastEnd || '-',
            ]),
          ],
          2,
        ),
    mules.length === 0
      ? []
      : table(
          [
            ['mule', 'runs', 'pid'],
            ...mules.map(({ app, number, name, pid }) => [`${app} ${number}`, name, showPid(pid)]),
          ],
          2,
        ),
  ]
}

export function taskTable(tasks: readonly ScheduleFacts[]): string[] {
  if (tasks.length === 0) return []
  const head = ['task', 'when', 'next', 'last', 'result', 'runs', 'failed', 'left out']
  const rows = tasks.map((task) => [
    task.app === '' ? task.name : `${task.app}/${task.name}`,
    task.when.length > WIDEST ? `${task.when.slice(0, WIDEST - 1)}…` : task.when,
    task.next === '' ? '-' : showMoment(task.next),
    task.last === null ? '-' : showMoment(task.last.startedAt),
    showResult(task),
    `${task.runs}`,
    `${task.failures}`,
    `${task.skipped}`,
  ])
  return table([head, ...rows], 5)
}

function showResult({ running, waiting, last }: ScheduleFacts): string {
  const queue = waiting === 0 ? '' : `, ${waiting} waiting`
  if (running.length > 0) return `running${queue}`
  return last === null ? '-' : `${last.ok ? 'ok' : 'failed'}: ${last.how}`
}

/** In the time zone of whoever reads it. */
function showMoment(iso: string): string {
  const date = new Date(iso)
  const two = (number: number): string => String(number).padStart(2, '0')
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-')
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`
}

function showPid(pid: number): string {
  return pid === 0 ? '-' : `${pid}`
}
