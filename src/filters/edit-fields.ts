/** A request's fields with some taken out and others put in. */
import { parseHost, type RequestFields } from '../wire/request-fields.ts'

/** A name as it is written, and a value that is one line. */
export type Field = readonly [name: string, value: string]

/** `drops`: by name in lower case. What frames a request, and its connection, is never changed so. */
export function editFields(
  fields: RequestFields,
  drops: (name: string) => boolean,
  more: readonly Field[],
): RequestFields {
  const names: string[] = []
  const values: string[] = []
  let raw = ''
  const lines = fields.raw.split('\r\n')
  for (let i = 0; i < fields.names.length; i++) {
    const name = fields.names[i]!
    if (drops(name)) continue
    names.push(name)
    values.push(fields.values[i]!)
    raw += `${lines[i]}\r\n`
  }
  let { host, hostPort, connection } = fields
  for (const [name, value] of more) {
    const lower = name.toLowerCase()
    names.push(lower)
    values.push(value)
    raw += `${name}: ${value}\r\n`
    // A visitor's Connection field names what goes no further: not what is said here.
    if (connection.includes(lower)) connection = connection.filter((each) => each !== lower)
    if (lower === 'host') {
      const parsed = parseHost(value)
      host = parsed.host
      hostPort = parsed.port
    }
  }
  return { ...fields, names, values, raw, host, hostPort, connection, encoded: null }
}
