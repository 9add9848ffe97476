/** A Redis answers PING; it may have to be the master. Sentinels, KeyDB and Valkey answer as well. */
import { readFile } from 'node:fs/promises'
import type { RedisCheckPlan } from '../site/check-plan.ts'
import { bytesOf, encodeCommand, Failure, type Reply, Status, textOf } from '../wire/resp.ts'
import { ReplyDecoder } from '../wire/resp-reply.ts'
import { type Check, Unwell } from './check.ts'
import { type Talk, talk } from './talk.ts'

const LIMITS = { bulk: 16_384, values: 1_024 } as const

export function redis({ user, passwordFile, role }: RedisCheckPlan): Check {
  return {
    name: 'redis',
    probe: async (peer, signal) => {
      const password = passwordFile === '' ? '' : await secret(passwordFile)
      return talk(peer, signal, async (talk) => {
        if (password !== '') await ask(talk, ['AUTH', ...(user === '' ? [] : [user]), password])
        const pong = await ask(talk, ['PING'])
        if (!(pong instanceof Status) || pong.text !== 'PONG')
          throw new Unwell('does not answer PING')
        if (role !== 'any') await mustBe(talk, role)
        return undefined
      })
    },
  }
}

async function secret(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new Error(`the password cannot be read: ${error.message}`)
  })
  return bytesOf(text.replace(/\r?\n$/, ''))
}

async function mustBe(talk: Talk, role: string): Promise<void> {
  const told = await ask(talk, ['ROLE'])
  const found = Array.isArray(told) && typeof told[0] === 'string' ? told[0] : ''
  // Redis still says slave.
  const own = found === 'slave' ? 'replica' : found
  if (own !== role) throw new Unwell(`is a ${own === '' ? 'server without a role' : textOf(own)}`)
}

async function ask(talk: Talk, command: readonly string[]): Promise<Reply> {
  talk.write(Buffer.from(encodeCommand(command), 'latin1'))
  const decoder = new ReplyDecoder(LIMITS)
  let seen = 0
  const reply = await talk.take((came) => {
    seen = decoder.decode(came, seen, came.length)
    return decoder.done ? { value: decoder.reply, used: seen } : null
  })
  if (reply instanceof Failure) throw new Unwell(textOf(reply.text).slice(0, 200))
  return reply
}
