/** A uwsgi server answers a ping: a packet with modifier1 100, as its own fast routers ask. */

import type { UwsgiCheckPlan } from '../site/check-plan.ts'
import { encodePacket, Modifier, PONG } from '../wire/uwsgi.ts'
import { type Check, Unwell } from './check.ts'
import { talk } from './talk.ts'

export function uwsgi(_plan: UwsgiCheckPlan): Check {
  return {
    name: 'uwsgi',
    probe: (peer, signal) =>
      talk(peer, signal, async (talk) => {
        talk.write(encodePacket(Modifier.PING, 0, []))
        if (!(await talk.bytes(PONG.length)).equals(PONG)) {
          throw new Unwell('does not answer a uwsgi ping')
        }
        return undefined
      }),
  }
}
