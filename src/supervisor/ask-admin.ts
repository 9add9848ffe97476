/** Asks a running supervisor, over its admin socket. */

import { http } from '../system/http.ts'
import { neighboursOf } from './neighbours.ts'

export interface AdminAnswer {
  readonly status: number
  readonly body: string
}

const LONGEST_ANSWER = 67_108_864

/** Throws an Error with the remedy when nobody answers there. */
export function askAdmin(socketPath: string, method: string, path: string): Promise<AdminAnswer> {
  return new Promise((resolve, reject) => {
    const sent = http.request({ socketPath, method, path, agent: false }, (response) => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        size += chunk.length
        // It may be a site of somebody else's.
        if (size > LONGEST_ANSWER)
          response.destroy(new Error(`${socketPath} does not stop talking`))
      })
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
      )
    })
    sent.on('error', (error: NodeJS.ErrnoException) => {
      explain(socketPath, error).then(reject, reject)
    })
    sent.end()
  })
}

async function explain(path: string, error: NodeJS.ErrnoException): Promise<Error> {
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
    const others = await neighboursOf(path)
    const there = others.length === 0 ? '' : `; these run: ${others.join(', ')}`
    return new Error(
      `not running: nobody answers on ${path}; \`portico serve\` it first, or name its socket with --admin${there}`,
    )
  }
  if (error.code === 'EACCES') {
    return new Error(
      `${path} is not ours to open: ask as the user who started the site, or as root`,
    )
  }
  return new Error(`${path}: ${error.message}`, { cause: error })
}
