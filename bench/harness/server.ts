/** One rival at work: started, known to answer right, measurable, stoppable. */
import { mkdirSync } from 'node:fs'
import { get } from 'node:http'
import { connect } from 'node:http2'
import { get as getSecurely } from 'node:https'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hasEnded, SERVER_CORE, type Started, start, stop } from './processes.ts'
import type { Rival, Site } from './rival.ts'

/** How long a server may take from its start to its first right answer, in ms. */
const READY_MS = 20_000

export interface Expected {
  readonly path: string
  /** The exact body, or how it begins and how long it is, for large ones. */
  readonly body: string | { readonly start: string; readonly length: number }
  /** Asked for over HTTP/2, by prior knowledge. */
  readonly http2?: true
  /** Over TLS, whose certificate is not looked at. */
  readonly tls?: true
}

export interface Server {
  readonly rival: string
  readonly port: number
  readonly url: string
  /** The processes that were started; descendants are found below them. The listening one is last. */
  readonly pids: readonly number[]
  stop(): Promise<void>
}

/** Starts a rival on the servers' core and checks its answer. Throws with the server's own words. */
export async function serve(
  rival: Rival,
  site: Site,
  expected: Expected,
  scratch: string,
  cores: string = String(SERVER_CORE),
  pollMs: number = 25,
): Promise<Server> {
  const port = await freePort()
  const dir = join(scratch, `${rival.name.replaceAll(/\W+/g, '-')}-${port}`)
  mkdirSync(dir, { recursive: true })
  const started: Started[] = []
  const server: Server = {
    rival: rival.name,
    port,
    url: `${expected.tls === true ? 'https' : 'http'}://127.0.0.1:${port}${expected.path}`,
    get pids() {
      return started.map((each) => each.pid)
    },
    stop: () => stop(started),
  }
  for (const command of rival.serve(site, dir, port)) {
    started.push(start(command, cores, join(dir, 'output.log')))
  }
  const deadline = Date.now() + READY_MS
  for (;;) {
    const wrong = await answerIsWrong(server.url, expected)
    if (!wrong) return server
    const ended = started.some(hasEnded)
    if (ended || Date.now() > deadline) {
      const words = started[0]?.output() ?? ''
      await server.stop()
      throw new Error(
        `${rival.name} ${ended ? 'ended at once' : 'did not become ready'}: ${wrong}\n${words}`,
      )
    }
    await sleep(pollMs)
  }
}

/** What is wrong with the answer, or undefined when nothing is. */
export function answerIsWrong(url: string, expected: Expected): Promise<string | undefined> {
  const { body: wanted } = expected
  if (expected.http2) return answerOverHttp2IsWrong(url, expected)
  return new Promise((resolve) => {
    const ask = expected.tls === true ? getSecurely : get
    const options = { agent: false as const, timeout: 5000, rejectUnauthorized: false }
    const request = ask(url, options, (response) => {
      let text = ''
      let length = 0
      response.setEncoding('latin1')
      response.on('error', (error) => resolve(error.message))
      response.on('data', (chunk: string) => {
        length += chunk.length
        if (text.length < 4096) text += chunk
      })
      response.on('end', () => {
        const right =
          typeof wanted === 'string'
            ? text === wanted
            : length === wanted.length && text.startsWith(wanted.start)
        if (response.statusCode === 200 && right) resolve(undefined)
        else resolve(`status ${response.statusCode}, ${length} bytes: ${text.slice(0, 200)}`)
      })
    })
    request.on('timeout', () => request.destroy(new Error('no answer within 5 s')))
    request.on('error', (error) => resolve(error.message))
  })
}

function answerOverHttp2IsWrong(url: string, expected: Expected): Promise<string | undefined> {
  return new Promise((resolve) => {
    const session = connect(url)
    const failed = (error: Error): void => resolve(error.message)
    session.on('error', failed)
    const stream = session.request({ ':path': expected.path })
    let status = 0
    let text = ''
    stream.on('error', failed)
    stream.on('response', (head) => {
      status = Number(head[':status'])
    })
    stream.setEncoding('latin1').on('data', (part: string) => {
      text += part
    })
    stream.on('end', () => {
      session.close()
      const right = status === 200 && text === expected.body
      resolve(right ? undefined : `status ${status}: ${text.slice(0, 200)}`)
    })
  })
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.on('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => {
        if (address && typeof address === 'object') resolve(address.port)
        else reject(new Error('the kernel named no port'))
      })
    })
  })
}
