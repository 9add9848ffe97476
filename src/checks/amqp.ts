/** An AMQP 0-9-1 broker, such as RabbitMQ, answers our protocol header with Connection.Start (§4.2.2). */
import type { AmqpCheckPlan } from '../site/check-plan.ts'
import { type Check, Unwell } from './check.ts'
import { talk } from './talk.ts'

/** `AMQP`, then the version: 0, 0, 9, 1. */
const HEADER = Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1)
/** Frame type, channel, size; class and method (§4.2.3). */
const FRAME_HEAD = 11
const METHOD_FRAME = 1
const CONNECTION = 10
const START = 10
const FRAME_END = 0xce
const LONGEST_FRAME = 32_768

export function amqp(_plan: AmqpCheckPlan): Check {
  return {
    name: 'amqp',
    probe: (peer, signal) =>
      talk(peer, signal, async (talk) => {
        talk.write(HEADER)
        const head = await talk.bytes(FRAME_HEAD)
        const size = head.readUInt32BE(3)
        if (head.toString('latin1', 0, 4) === 'AMQP')
          throw new Unwell('wants another version of AMQP')
        const isStart =
          head[0] === METHOD_FRAME &&
          head.readUInt16BE(1) === 0 &&
          head.readUInt16BE(7) === CONNECTION &&
          head.readUInt16BE(9) === START
        if (!isStart || size > LONGEST_FRAME) throw new Unwell('does not speak AMQP 0-9-1')
        // Class and method have been read, the end of the frame has not.
        const rest = await talk.bytes(size - 4 + 1)
        if (rest.at(-1) !== FRAME_END) throw new Unwell('does not speak AMQP 0-9-1')
        return undefined
      }),
  }
}
