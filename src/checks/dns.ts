/** A name server answers a question over UDP, as keepalived's DNS_CHECK and with an answer to match. */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { DnsCheckPlan } from '../site/check-plan.ts'
import {
  DnsError,
  type DnsReply,
  decodeReply,
  encodeQuestion,
  RecordTypes,
  ResponseCodes,
} from '../wire/dns.ts'
import { type Check, Unwell } from './check.ts'
import { type Pattern, patternOf } from './pattern.ts'

export function dns(plan: DnsCheckPlan): Check {
  const { name, type } = plan
  const pattern = plan.answer === '' ? null : patternOf(plan.answer)
  return {
    name: 'dns',
    probe: async ({ address }, signal) => {
      if (address.kind === 'unix') throw new Error('name servers have no unix sockets')
      signal.throwIfAborted()
      judge(await ask(name, RecordTypes[type] ?? 0, address, signal), plan, pattern)
      return undefined
    },
  }
}

async function ask(
  name: string,
  type: number,
  { host, port }: { readonly host: string; readonly port: number },
  signal: AbortSignal,
): Promise<DnsReply> {
  const { address, family } =
    isIP(host) === 0 ? await lookup(host) : { address: host, family: isIP(host) }
  signal.throwIfAborted()
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4')
  let abort = (): void => {}
  try {
    return await new Promise<DnsReply>((resolve, reject) => {
      abort = () => reject(signal.reason)
      signal.addEventListener('abort', abort)
      const id = randomInt(65_536)
      socket.on('error', reject)
      socket.on('message', (message) => {
        try {
          const reply = decodeReply(message, name, type)
          // Another id is not an answer to us: somebody guesses, or it comes late.
          if (reply.id === id) resolve(reply)
        } catch (error) {
          if (!(error instanceof DnsError)) reject(error)
          else if (message.length >= 2 && message.readUInt16BE(0) !== id) return
          else reject(new Unwell(`does not speak DNS: ${error.message}`))
        }
      })
      // Connected: the kernel tells when nobody listens, and lets nobody else answer.
      socket.connect(port, address, () => socket.send(encodeQuestion(id, name, type)))
    })
  } finally {
    signal.removeEventListener('abort', abort)
    socket.close()
  }
}

function judge(reply: DnsReply, { code, answer }: DnsCheckPlan, pattern: Pattern | null): void {
  const told = ResponseCodes[reply.code] ?? `code ${reply.code}`
  if (told !== code) throw new Unwell(`answered ${told}`)
  if (pattern === null) return
  const texts = reply.answers.map(({ text }) => text)
  if (texts.some((text) => pattern.isIn(text))) return
  throw new Unwell(
    `has no answer with ${answer}: ${texts.join(', ').slice(0, 200) || 'none at all'}`,
  )
}
