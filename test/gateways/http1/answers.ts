/** Reads answers off what a server sent, for tests: lenient about nothing that matters. */

export interface Answer {
  readonly status: number
  readonly reason: string
  /** In order, names in lower case. */
  readonly fields: readonly (readonly [string, string])[]
  readonly body: Buffer
  /** Of a chunked body: raw, '' for none. */
  readonly trailers: string
  readonly chunked: boolean
}

export function field(answer: Answer, name: string): string | undefined {
  return answer.fields.find(([known]) => known === name)?.[1]
}

/**
 * The complete answers at the beginning of `bytes` to requests with `methods` (interim ones are told by
 * their status), and what is left over. `ended`: the server closed, which ends a body without a length.
 */
export function readAnswers(
  bytes: Buffer,
  methods: readonly string[],
  ended: boolean,
): { answers: Answer[]; rest: Buffer } {
  const answers: Answer[] = []
  let at = 0
  let request = 0
  for (;;) {
    const end = bytes.indexOf('\r\n\r\n', at)
    if (end < 0) break
    const [statusLine, ...lines] = bytes.toString('latin1', at, end).split('\r\n')
    const match = /^HTTP\/1\.1 ([1-5][0-9]{2}) (.*)$/.exec(statusLine!)
    if (match === null) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`)
    const fields = lines.map((line): [string, string] => {
      const parts = /^([^\s:]+): (.*)$/.exec(line)
      if (parts === null) throw new Error(`not a field: ${JSON.stringify(line)}`)
      return [parts[1]!.toLowerCase(), parts[2]!]
    })
    const status = Number(match[1])
    const get = (name: string): string | undefined => fields.find(([known]) => known === name)?.[1]
    const bodiless = status < 200 || status === 204 || status === 304 || methods[request] === 'HEAD'
    const from = end + 4
    let to = from
    let body = bytes.subarray(from, from)
    let trailers = ''
    const chunked = get('transfer-encoding') === 'chunked'
    if (bodiless) to = from
    else if (chunked) {
      const decoded = readChunks(bytes, from)
      if (decoded === null) break
      body = decoded.body
      trailers = decoded.trailers
      to = decoded.to
    } else if (get('content-length') !== undefined) {
      to = from + Number(get('content-length'))
      if (to > bytes.length) break
      body = bytes.subarray(from, to)
    } else {
      if (!ended) break
      to = bytes.length
      body = bytes.subarray(from)
    }
    answers.push({ status, reason: match[2]!, fields, body, trailers, chunked })
    if (status >= 200) request++
    at = to
  }
  return { answers, rest: bytes.subarray(at) }
}

function readChunks(
  bytes: Buffer,
  from: number,
): { body: Buffer; trailers: string; to: number } | null {
  const parts: Buffer[] = []
  let at = from
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd < 0) return null
    const line = bytes.toString('latin1', at, lineEnd)
    if (!/^[0-9a-f]+$/.test(line)) throw new Error(`not a chunk size: ${JSON.stringify(line)}`)
    const size = Number.parseInt(line, 16)
    at = lineEnd + 2
    if (size === 0) break
    if (at + size + 2 > bytes.length) return null
    parts.push(bytes.subarray(at, at + size))
    if (bytes.toString('latin1', at + size, at + size + 2) !== '\r\n') throw new Error('no CRLF')
    at += size + 2
  }
  if (bytes.toString('latin1', at, at + 2) === '\r\n')
    return { body: Buffer.concat(parts), trailers: '', to: at + 2 }
  const end = bytes.indexOf('\r\n\r\n', at)
  if (end < 0) return null
  return {
    body: Buffer.concat(parts),
    trailers: bytes.toString('latin1', at, end + 2),
    to: end + 4,
  }
}
