/** Puts a job into its queue, by way of the commons. */
import { connect } from 'node:net'
import { bytesOf, encodeCommand, Failure, textOf } from '../wire/resp.ts'
import { ReplyDecoder } from '../wire/resp-reply.ts'

const LIMITS = { bulk: 65_536, values: 16 } as const
/** An engine of another machine may take its time. */
const TIMEOUT_MS = 30_000

export interface JobOrder {
  readonly job: string
  readonly queue: string
  readonly payload: string
}

/** Resolves with the job's id; `path`: the socket of the commons. */
export function enqueue(path: string, { job, queue, payload }: JobOrder): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    const decoder = new ReplyDecoder(LIMITS)
    const fail = (why: string): void => {
      socket.destroy()
      reject(new Error(`job ${job} was not put into ${queue}: ${why}`))
    }
    socket.setTimeout(TIMEOUT_MS, () => fail(`no answer within ${TIMEOUT_MS / 1000} s`))
    socket.on('error', (error) => fail(error.message))
    socket.on('close', () => fail('the connection was closed'))
    socket.on('connect', () => {
      const words = ['PORTICO.JOB.PUT', queue, job, payload].map(bytesOf)
      socket.write(encodeCommand(words), 'latin1')
    })
    socket.on('data', (bytes: Buffer) => {
      try {
        decoder.decode(bytes, 0, bytes.length)
      } catch (error) {
        return fail(error instanceof Error ? error.message : String(error))
      }
      if (!decoder.done) return
      const { reply } = decoder
      if (reply instanceof Failure) return fail(textOf(reply.text))
      resolve(typeof reply === 'string' ? textOf(reply) : '')
      socket.destroy()
    })
  })
}
