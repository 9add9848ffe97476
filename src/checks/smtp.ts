/** A mail server greets, answers EHLO and lets us go (RFC 5321 §3.1, §3.2, §4.1.1.10). */
import type { SmtpCheckPlan } from '../site/check-plan.ts'
import { type Check, Unwell } from './check.ts'
import { type Talk, talk } from './talk.ts'

/** A server may greet at length. */
const MOST_LINES = 100

export function smtp({ helo }: SmtpCheckPlan): Check {
  return {
    name: 'smtp',
    probe: (peer, signal) =>
      talk(peer, signal, async (talk) => {
        await expectCode(talk, '220', 'greeting')
        talk.write(`EHLO ${helo}\r\n`)
        await expectCode(talk, '250', 'EHLO')
        talk.write('QUIT\r\n')
        await expectCode(talk, '221', 'QUIT')
        return undefined
      }),
  }
}

/** Replies are lines of `250-text`, the last one `250 text` (RFC 5321 §4.2.1). */
async function expectCode(talk: Talk, code: string, to: string): Promise<void> {
  for (let lines = 0; lines < MOST_LINES; lines++) {
    const line = await talk.line()
    if (!/^[2-5][0-9]{2}([ -]|$)/.test(line)) throw new Unwell('does not speak SMTP')
    if (!line.startsWith(code)) throw new Unwell(`${to}: ${line.slice(0, 200)}`)
    if (line[3] !== '-') return
  }
  throw new Unwell(`${to}: an answer of more than ${MOST_LINES} lines`)
}
