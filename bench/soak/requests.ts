/** The `n`th request of a soak, and the answer that it has to get. */
import { crc32 } from 'node:zlib'
import type { AppName } from './site.ts'

export interface Asked {
  readonly app: AppName
  /** It may not be executed twice. */
  readonly unsafe: boolean
  /** It sleeps past its deadline. */
  readonly sleeps: boolean
  /** Bytes of its body, and bytes that are to come beside the line that tells of it. */
  readonly body: number
  readonly more: number
}

/** One in so many sleeps. */
const SLEEPS = 1000
/** Beyond what one frame or one buffer holds. */
const LARGE = 300_000

export function asked(n: number): Asked {
  const app = APPS[n % APPS.length]!
  const unsafe = n % 3 === 0
  if (n % SLEEPS === SLEEPS / 2) return { app: 'shop', unsafe, sleeps: true, body: 0, more: 0 }
  const body = !unsafe ? 0 : n % 101 === 0 ? LARGE : n % 997
  const more = n % 103 === 0 ? LARGE : n % 89
  return { app, unsafe, sleeps: false, body, more }
}

/** Whether its answer takes several writes: the first may be gone when the worker dies. */
export function isLarge(n: number): boolean {
  return asked(n).more === LARGE
}

/** Six in eleven for `shop`; eleven divides no other pattern here. */
const APPS: readonly AppName[] = [
  'shop',
  'chat',
  'shop',
  'api',
  'shop',
  'leak',
  'web',
  'shop',
  'chat',
  'shop',
  'shop',
]

/** Its bytes, as latin1. */
export function requestText(n: number): string {
  const { app, unsafe, sleeps, body, more } = asked(n)
  const query = `n=${n}&more=${more}${sleeps ? '&sleep' : ''}${app === 'leak' ? '&keep' : ''}`
  const head = `${unsafe ? 'POST' : 'GET'} /${app}?${query} HTTP/1.1\r\nHost: localhost\r\n`
  return unsafe ? `${head}Content-Length: ${body}\r\n\r\n${bodyOf(n, body)}` : `${head}\r\n`
}

/** What is wrong with the body of an answer 200; '' when nothing is. */
export function wrongAnswer(n: number, text: string): string {
  const { body, more } = asked(n)
  const end = text.indexOf('\n')
  const line = text.slice(0, end)
  const wanted = new RegExp(`^${n} v\\d+ ${body} ${crc32(Buffer.from(bodyOf(n, body), 'latin1'))}$`)
  if (!wanted.test(line)) return `${line.slice(0, 80)} instead of ${wanted.source}`
  const rest = text.length - end - 1
  return rest === more ? '' : `${rest} bytes instead of ${more} behind the first line`
}

/** Differs from request to request, and from piece to piece. */
function bodyOf(n: number, length: number): string {
  if (length === 0) return ''
  const piece = `${n} of a body, \xff\x00\r\n`
  return piece.repeat(Math.ceil(length / piece.length)).slice(0, length)
}
