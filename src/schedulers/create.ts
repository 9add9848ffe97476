/** A pool's scheduler from its plan, and the memory that its threads share. */
import type { SchedulePlan } from '../site/plan.ts'
import { destinationCells } from './destinations.ts'
import { dh } from './dh.ts'
import { first } from './first.ts'
import { fo } from './fo.ts'
import { hash } from './hash.ts'
import { readKey } from './keys.ts'
import { LBLC_WORDS, lblc } from './lblc.ts'
import { lblcr, lblcrWords } from './lblcr.ts'
import { lc } from './lc.ts'
import { leastTime } from './least-time.ts'
import { mh } from './mh.ts'
import { nq } from './nq.ts'
import { ovf } from './ovf.ts'
import { random } from './random.ts'
import { ring } from './ring.ts'
import { RR_CELLS, rr } from './rr.ts'
import type { Scheduler } from './scheduler.ts'
import { sed } from './sed.ts'
import { sh } from './sh.ts'
import { TURN_CELLS } from './turns.ts'
import { twos } from './twos.ts'
import { wlc } from './wlc.ts'
import { wrr } from './wrr.ts'

/** How many shared Int32 places a scheduler of `backends` needs. */
export function schedulerCells({ by }: SchedulePlan, backends: number): number {
  switch (by) {
    case 'lblc':
      return destinationCells(LBLC_WORDS)
    case 'lblcr':
      return destinationCells(lblcrWords(backends))
    default:
      return Math.max(RR_CELLS, TURN_CELLS)
  }
}

/** `cells`: as many as `schedulerCells` says, the same for all threads. */
export function createScheduler(
  plan: SchedulePlan,
  cells: Int32Array,
  backends: number,
): Scheduler {
  const ties = plan.ties === 'turns' ? cells : null
  const { port, fallback } = plan
  const key = readKey(plan.key)
  switch (plan.by) {
    case 'rr':
      return rr(cells)
    case 'wrr':
      return wrr(cells, plan.smooth)
    case 'lc':
      return lc(ties)
    case 'wlc':
      return wlc(ties)
    case 'sed':
      return sed(ties)
    case 'nq':
      return nq(ties)
    case 'sh':
      return sh({ port, fallback })
    case 'dh':
      return dh(key, fallback)
    case 'lblc':
      return lblc(key, cells)
    case 'lblcr':
      return lblcr(key, cells, backends)
    case 'fo':
      return fo()
    case 'ovf':
      return ovf()
    case 'mh':
      return mh({ key, port, fallback, table: plan.table })
    case 'twos':
      return twos()
    case 'hash':
      return plan.consistent ? ring(key, cells) : hash(key, cells)
    case 'random':
      return random()
    case 'least-time':
      return leastTime(cells)
    case 'first':
      return first()
  }
}
