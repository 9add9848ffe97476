/** A uWSGI configuration as a site. */
import { availableParallelism, hostname, userInfo } from 'node:os'
import type { Report } from '../../site/report.ts'
import type { MapNode, Place } from '../../site/tree.ts'
import type { Outcome } from '../outcome.ts'
import { compose } from './compose.ts'
import type { Machine } from './magic.ts'
import type { Environment } from './placeholders.ts'
import { Reader } from './read.ts'

export interface Imported {
  readonly root: MapNode
  /** Every file that was read. */
  readonly sources: readonly string[]
  readonly outcomes: readonly Outcome[]
  /** Restart when the code changes. */
  readonly watch: boolean
}

/** `file` may name a section. */
export function loadUwsgiFile(
  file: string,
  cwd: string,
  environment: Environment,
  report: Report,
): Imported {
  return load(cwd, environment, report, (reader, place) => reader.addFile(file, place))
}

/** `args`: as they are given to uWSGI. */
export async function loadUwsgiArguments(
  args: readonly string[],
  cwd: string,
  environment: Environment,
  report: Report,
): Promise<Imported> {
  const { parseArguments } = await import('./arguments.ts')
  return load(cwd, environment, report, (reader, place) => {
    for (const { name, value } of parseArguments(args)) reader.add({ name, value, place })
  })
}

function load(
  cwd: string,
  environment: Environment,
  report: Report,
  fill: (reader: Reader, place: Place) => void,
): Imported {
  const place: Place = { source: { file: 'command line', text: '', base: cwd }, offset: -1 }
  const reader = new Reader(thisMachine(cwd), environment, report)
  reader.addEnvironment()
  fill(reader, place)
  const effective = reader.finish()
  const composed = compose(effective, cwd, place, report)
  return { ...composed, sources: effective.sources }
}

function thisMachine(cwd: string): Machine {
  const { uid, gid, username } = userInfo()
  return {
    cwd,
    host: hostname(),
    cores: availableParallelism(),
    uid,
    user: username,
    gid,
    group: username,
    now: Math.floor(Date.now() / 1000),
  }
}
