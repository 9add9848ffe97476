/** The lines that the access log has for connections without HTTP. */

import { until } from '../../supervisor/site.ts'
import type { Portico } from './portico.ts'

export interface ConnectionLine {
  readonly address: string
  readonly protocol: string
  readonly listener: string
  readonly server?: string
  readonly server_name?: string
  readonly alpn?: readonly string[]
  readonly user?: string
  readonly received: number
  readonly sent: number
  readonly ms: number
  readonly end: string
}

export function connectionLines(portico: Portico): ConnectionLine[] {
  return portico.out
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
    .filter((line) => line.protocol !== undefined)
}

/** The first one from `from` on that `match` says yes to. */
export async function lineWhere(
  portico: Portico,
  from: number,
  match: (line: ConnectionLine) => boolean,
): Promise<ConnectionLine> {
  return until('a line in the access log', () => connectionLines(portico).slice(from).find(match))
}

/** The line of the `nth` connection from now on that is over. */
export async function nextLine(portico: Portico, from: number): Promise<ConnectionLine> {
  return until('a line in the access log', () => connectionLines(portico)[from])
}
