/** The same over HTTP/2, for servers that speak nothing else: by ALPN over TLS, else by prior knowledge. */
import { type ClientHttp2Session, connect, constants, type OutgoingHttpHeaders } from 'node:http2'
import type { HttpCheckPlan } from '../site/check-plan.ts'
import { ownHost } from '../transports/backend/own-host.ts'
import type { PoolFiles } from '../transports/backend/tls.ts'
import { type Check, Unwell } from './check.ts'
import { type Answer, judge, told } from './http-answer.ts'
import { connection, trust } from './http-connection.ts'
import { patternOf } from './pattern.ts'

/** Of header fields, as they count; bounds what a server may send as its head. */
const MOST_FIELDS = 200

export function http2(plan: HttpCheckPlan, files: PoolFiles): Check {
  const pattern = plan.body === '' ? null : patternOf(plan.body)
  const secured = plan.tls === null ? null : trust(plan.tls.verify, files)
  return {
    name: 'http2',
    probe: async (peer, signal) => {
      signal.throwIfAborted()
      const host = plan.host === '' ? ownHost(peer.address) : plan.host
      const socket = connection(plan, secured, peer, host, ['h2'])
      // Whatever comes after the session has gone.
      socket.on('error', () => {})
      const session = connect(`${plan.tls === null ? 'http' : 'https'}://${host}`, {
        createConnection: () => socket,
        maxHeaderListPairs: MOST_FIELDS,
        settings: { enablePush: false },
      })
      let abort = (): void => {}
      try {
        const aborted = new Promise<never>((_resolve, reject) => {
          abort = () => reject(signal.reason)
          signal.addEventListener('abort', abort)
        })
        const asked = answer(session, plan, host).then((one) => judge(plan, pattern, one))
        await Promise.race([asked, aborted])
      } finally {
        signal.removeEventListener('abort', abort)
        session.destroy()
        socket.destroy()
      }
      return undefined
    },
  }
}

function answer(session: ClientHttp2Session, plan: HttpCheckPlan, host: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => reject(told(error))
    const gone = (): void => reject(new Unwell('closed the connection without an answer'))
    session.on('error', fail)
    session.on('close', gone)
    session.on('goaway', gone)
    const stream = session.request(fieldsOf(plan, host), { endStream: true })
    // Also after the answer has begun: the stream tells the rest.
    stream.on('error', fail)
    stream.on('close', gone)
    stream.on('response', (fields) => {
      resolve({ code: Number(fields[constants.HTTP2_HEADER_STATUS]), reason: '', body: stream })
    })
  })
}

function fieldsOf({ method, path, fields, tls }: HttpCheckPlan, host: string): OutgoingHttpHeaders {
  const all: OutgoingHttpHeaders = {
    ':method': method,
    ':path': path,
    ':scheme': tls === null ? 'http' : 'https',
    ':authority': host,
    'user-agent': 'Portico-Check',
  }
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!.toLowerCase()
    all[name === 'host' ? ':authority' : name] = fields[i + 1]!
  }
  return all
}
