/** A soak as lines of a table: what was done, what came of it, what it cost. */
import { addRestarts } from '../../src/supervisor/restarts.ts'
import type { Judgement } from './judging.ts'
import { APP_NAMES } from './site.ts'
import type { Slope } from './slope.ts'
import type { Facts } from './soak.ts'

const MIB = 1024 * 1024
const HOUR = 3600

/** Each line is a name and its value. */
export function linesOf(facts: Facts, judgement: Judgement): [string, string][] {
  const { visited, kills, reloads, status, sampling, left } = facts
  const { answers, slept, costly, failed, cut, files } = judgement
  const done = reloads.filter(({ trouble }) => trouble === '')
  const kinds = ['the site', 'one application', 'rolling'] as const
  const byKind = kinds.map((kind) => `${kind} ${done.filter((one) => one.kind === kind).length}`)
  const slowest = Math.max(0, ...reloads.map(({ tookMs }) => tookMs))
  const restarts = addRestarts(Object.values(status.apps).map(({ reasons }) => reasons))
  const memory = sampling.supervisor.memory.map(({ value }) => value)
  const lasts = [...sampling.servers.values()].map((one) => one.memory.at(-1)?.value ?? 0)
  return [
    ['length', `${Math.round(facts.seconds)} s`],
    ['requests', `${visited.sent} on ${visited.connections} connections`],
    ['a second', (visited.sent / facts.seconds).toFixed(0)],
    ['without an answer', String(visited.lost.length - cut)],
    ['wrong answers', String(visited.wrong.length)],
    ['answers', pairs(answers)],
    ['longest wait of one that does not sleep', `${(visited.longestMs / 1000).toFixed(1)} s`],
    ['slept past the deadline', `${slept}, of which ${answers[504] ?? 0} got 504`],
    ['workers killed', String(kills.length)],
    ['502', String(failed)],
    ['cut in the middle of a large answer', String(cut)],
    ...APP_NAMES.map((name): [string, string] => {
      const { kills: dead, answers: lost, most } = costly[name]
      return [`… ${name}`, `${lost} for ${dead} killed, at most ${most} for one`]
    }),
    ['reloads', `${done.length} (${byKind.join(', ')}), ${reloads.length - done.length} failed`],
    ['longest reload', `${(slowest / 1000).toFixed(1)} s`],
    ['workers replaced', pairs(restarts)],
    ['server processes', String(sampling.servers.size)],
    [
      'supervisor’s memory',
      `${size(memory.at(-1) ?? 0)}, ${growth(judgement.supervisor, MIB, 'MiB')}`,
    ],
    ['… what lives in its heap', growth(judgement.supervisorHeap, MIB, 'MiB')],
    [
      facts.whole ? 'servers’ memory, when replaced' : 'server’s memory',
      facts.whole
        ? range(lasts)
        : `${size(lasts[0] ?? 0)}, ${growth(judgement.server, MIB, 'MiB')}`,
    ],
    ...(facts.whole
      ? []
      : [
          ['… what lives in its heaps', growth(judgement.serverHeap, MIB, 'MiB')] as [
            string,
            string,
          ],
        ]),
    [
      'supervisor’s open files',
      `${sampling.supervisor.files.at(-1)?.value ?? 0}, ${growth(files, 1, 'files')}`,
    ],
    ['processes at most', String(Math.max(...sampling.processes.map(({ value }) => value)))],
    ['left behind', left.length === 0 ? 'nothing' : left.join(', ')],
  ]
}

function pairs(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name}: ${count}`)
    .join(', ')
}

function size(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`
}

function range(sizes: readonly number[]): string {
  return `${size(Math.min(...sizes))} to ${size(Math.max(...sizes))}`
}

/** An hour, with the interval in which it lies with 95%. */
function growth(slope: Slope | null, unit: number, name: string): string {
  if (slope === null) return 'too short for a slope'
  const [each, sure] = [slope.each, slope.sure].map((one) => ((one * HOUR) / unit).toFixed(1))
  return `growing by ${each} ± ${sure} ${name} an hour`
}
