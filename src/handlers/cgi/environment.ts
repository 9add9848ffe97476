/** All that a program knows of the world: the request's variables (RFC 3875 §4.1), PATH, the site's own. */
import type { Exchange } from '../../request/exchange.ts'
import { variablesOf } from '../../transports/variables.ts'
import type { Program } from './find.ts'

/** Of a service that was started without one: what a login would have. */
const USUAL_PATH = '/usr/local/bin:/usr/bin:/bin'

/**
 * Makes the environment of programs. `own`: what the site sets, over everything else; `root`: DOCUMENT_ROOT,
 * as bytes.
 *
 * HTTP_AUTHORIZATION is passed on, as with nginx and fcgiwrap: nobody but the program could check it.
 */
export function environmentMaker(
  own: Readonly<Record<string, string>>,
  root: string,
): (exchange: Exchange, program: Program, bodyLength: number) => string[] {
  const fixed = new Map([['PATH', process.env.PATH ?? USUAL_PATH]])
  for (const [name, value] of Object.entries(own)) {
    if (name !== 'CONTENT_LENGTH') fixed.set(name, latin1(value))
  }
  return (exchange, program, bodyLength) => {
    const { scriptName, pathInfo, script } = program
    const variables = variablesOf(exchange, {
      name: scriptName,
      info: pathInfo,
      file: script,
      root,
      uri: scriptName + pathInfo,
    })
    const { chunked, hasLength } = exchange.fields
    const list: string[] = []
    for (let i = 0; i < variables.length; i += 2) {
      const name = variables[i]!
      if (!fixed.has(name)) list.push(`${name}=${variables[i + 1]!}`)
    }
    // §4.1.2: if and only if there is a body; of one in chunks the length is known now.
    if (chunked || hasLength) list.push(`CONTENT_LENGTH=${bodyLength}`)
    for (const [name, value] of fixed) list.push(`${name}=${value}`)
    return list
  }
}

/** Text of a site file as bytes. */
function latin1(text: string): string {
  return Buffer.from(text).toString('latin1')
}
