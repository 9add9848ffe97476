/**
 * Cases as files: what is expected as YAML, a line of three hyphens, then the request's bytes as they
 * are, with the invisible ones spelled out: `\r`, `\n`, `\t`, `\\`, `\xHH`, and `{c*N}` for N times c.
 * A line's own end means nothing.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

const FOLDER = join(import.meta.dirname, '../../cases/http1')

export interface Seen {
  readonly line: string
  readonly path: string
  readonly query: string
  /** The host it was routed by. */
  readonly host: string
  /** `name: value`, in order. */
  readonly fields: readonly string[]
  /** Latin-1. */
  readonly body: string
  readonly trailers: string
}

export interface ValidCase {
  readonly name: string
  readonly bytes: Buffer
  readonly requests: readonly Seen[]
  readonly statuses: readonly number[]
  /** The server closes the connection behind the last answer. */
  readonly closes: boolean
}

export interface InvalidCase {
  readonly name: string
  readonly bytes: Buffer
  readonly status: number
  /** Part of what the visitor is told. */
  readonly says: string
  /** How many requests are served before. */
  readonly after: number
}

interface WrittenRequest extends Partial<Seen> {
  readonly line: string
  readonly fields: readonly string[]
  readonly continue?: boolean
}

interface WrittenValid {
  readonly requests: readonly WrittenRequest[]
  readonly statuses?: readonly number[]
  readonly closes: boolean
}

interface WrittenInvalid {
  readonly status: number
  readonly says: string
  readonly after?: number
}

export function validCases(): ValidCase[] {
  return files('valid').map(({ name, expected, bytes }) => {
    const { requests, statuses, closes } = parse(expected) as WrittenValid
    return {
      name,
      bytes,
      closes,
      requests: requests.map((written) => ({
        line: repeat(written.line),
        path: repeat(written.path ?? '/'),
        query: written.query ?? '',
        host: written.host ?? hostOf(written.fields),
        fields: written.fields.map(repeat),
        body: written.body ?? '',
        trailers: written.trailers ?? '',
      })),
      statuses:
        statuses ?? requests.flatMap((request) => (request.continue === true ? [100, 200] : [200])),
    }
  })
}

export function invalidCases(): InvalidCase[] {
  return files('invalid').map(({ name, expected, bytes }) => ({
    name,
    bytes,
    after: 0,
    ...(parse(expected) as WrittenInvalid),
  }))
}

function hostOf(fields: readonly string[]): string {
  return fields.find((line) => line.startsWith('host: '))?.slice(6) ?? ''
}

function files(kind: string): { name: string; expected: string; bytes: Buffer }[] {
  const folder = join(FOLDER, kind)
  return readdirSync(folder)
    .filter((file) => file.endsWith('.http'))
    .sort()
    .map((file) => {
      const text = readFileSync(join(folder, file), 'utf8')
      const mark = text.indexOf('\n---\n')
      if (mark < 0) throw new Error(`${file} has no line of three hyphens`)
      return {
        name: file.slice(0, -'.http'.length),
        expected: text.slice(0, mark),
        bytes: Buffer.from(spelledOut(text.slice(mark + 5)), 'latin1'),
      }
    })
}

function repeat(text: string): string {
  return text.replace(/\{(.)\*(\d+)\}/g, (_, character: string, count: string) =>
    character.repeat(Number(count)),
  )
}

const ESCAPES: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '\\': '\\' }

function spelledOut(text: string): string {
  return repeat(text.replaceAll('\n', '')).replace(
    /\\(x[0-9a-f]{2}|.)/g,
    (_, code: string) => ESCAPES[code] ?? String.fromCharCode(Number.parseInt(code.slice(1), 16)),
  )
}
