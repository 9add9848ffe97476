/** The server takes connections; it may have to say something as well. */
import type { TcpCheckPlan } from '../site/check-plan.ts'
import type { Check } from './check.ts'
import { type Pattern, patternOf } from './pattern.ts'
import { talk } from './talk.ts'

export function tcp({ send, expect }: TcpCheckPlan): Check {
  const pattern = expect === '' ? null : patternOf(expect)
  return {
    name: 'tcp',
    probe: (peer, signal) =>
      talk(peer, signal, async (talk) => {
        if (send !== '') talk.write(send)
        if (pattern !== null) await talk.take((came) => found(pattern, came))
        return undefined
      }),
  }
}

function found(pattern: Pattern, came: Buffer): { value: true; used: number } | null {
  if (came.length === 0 || !pattern.isIn(came.toString('latin1'))) return null
  return { value: true, used: came.length }
}
