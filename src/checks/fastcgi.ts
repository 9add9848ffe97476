/**
 * A FastCGI server says what it can do (FCGI_GET_VALUES, §4.1), or answers a request: php-fpm's
 * `ping.path` answers for its workers, where the other is an answer of the listening process at best.
 */

import type { FastcgiCheckPlan } from '../site/check-plan.ts'
import {
  encodeBeginRequest,
  encodeStream,
  ProtocolStatus,
  RecordType,
  Role,
  recordHead,
} from '../wire/fastcgi.ts'
import { encodePairs } from '../wire/fastcgi-params.ts'
import { RecordReader } from '../wire/fastcgi-reader.ts'
import { type Check, Unwell } from './check.ts'
import { type Pattern, patternOf } from './pattern.ts'
import { type Talk, talk } from './talk.ts'

const ID = 1

export function fastcgi({ path, body }: FastcgiCheckPlan): Check {
  const pattern = body === '' ? null : patternOf(body)
  return {
    name: 'fastcgi',
    probe: (peer, signal) =>
      talk(peer, signal, async (talk) => {
        if (path === '') await values(talk)
        else judge(await answer(talk, path), pattern)
        return undefined
      }),
  }
}

async function values(talk: Talk): Promise<void> {
  const names = encodePairs(['FCGI_MPXS_CONNS', ''])
  talk.write(recordHead(RecordType.GET_VALUES, 0, names.length, 0))
  talk.write(names)
  let told = false
  await converse(talk, {
    record: (type) => {
      told = type === RecordType.GET_VALUES_RESULT || type === RecordType.UNKNOWN_TYPE
      if (!told) throw new Unwell('does not answer FCGI_GET_VALUES')
      return true
    },
    isOver: () => told,
  })
}

async function answer(talk: Talk, path: string): Promise<string> {
  const params = encodePairs([
    ...['GATEWAY_INTERFACE', 'CGI/1.1', 'SERVER_PROTOCOL', 'HTTP/1.1', 'REQUEST_METHOD', 'GET'],
    ...['SCRIPT_NAME', path, 'SCRIPT_FILENAME', path, 'REQUEST_URI', path, 'QUERY_STRING', ''],
    ...['SERVER_NAME', 'localhost', 'SERVER_PORT', '80', 'REMOTE_ADDR', '127.0.0.1'],
  ])
  talk.write(encodeBeginRequest(ID, Role.RESPONDER, 0))
  talk.write(encodeStream(RecordType.PARAMS, ID, params))
  talk.write(recordHead(RecordType.PARAMS, ID, 0, 0))
  talk.write(recordHead(RecordType.STDIN, ID, 0, 0))
  let text = ''
  let status = -1
  await converse(talk, {
    record: (type, content) => {
      if (type !== RecordType.END_REQUEST) return false
      status = content[4] ?? -1
      return true
    },
    isOver: () => status >= 0,
    data: (bytes) => {
      text += bytes
    },
  })
  if (status === ProtocolStatus.OVERLOADED) throw new Unwell('is overloaded')
  if (status !== ProtocolStatus.REQUEST_COMPLETE) throw new Unwell('refuses requests')
  return text
}

/** A CGI answer: the status is a field, 200 where there is none (RFC 3875 §6.3.3). */
function judge(text: string, pattern: Pattern | null): void {
  const [, head, body] = /^((?:[^\r\n]+\r?\n)+)\r?\n([\s\S]*)$/.exec(text) ?? []
  if (head === undefined || body === undefined) throw new Unwell('gave no CGI answer')
  const [, status = '200'] = /^Status:[ \t]*([1-5][0-9]{2})/im.exec(head) ?? []
  if (Number(status) >= 400) throw new Unwell(`answered ${status}`)
  if (pattern?.isIn(body) === false) throw new Unwell('the answer is not the one expected')
}

interface Listener {
  /** Whether a record that is part of no stream was to be expected. */
  record(type: number, content: Buffer): boolean
  data?(bytes: string): void
  isOver(): boolean
}

async function converse(talk: Talk, listener: Listener): Promise<void> {
  const reader = new RecordReader({
    record: (type, _id, content) => {
      if (!listener.record(type, content)) throw new Unwell('does not speak FastCGI')
      return false
    },
    data: (type, _id, bytes) => {
      if (type === RecordType.STDOUT) listener.data?.(bytes.toString('latin1'))
      return true
    },
    end: () => true,
  })
  while (!listener.isOver()) {
    await talk.take((came) => {
      if (came.length === 0) return null
      try {
        const used = reader.read(came, 0, came.length)
        return { value: true, used }
      } catch (error) {
        throw error instanceof Unwell ? error : new Unwell('does not speak FastCGI')
      }
    })
  }
}
