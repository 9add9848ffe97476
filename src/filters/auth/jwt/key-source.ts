/**
 * Where keys come from: a file that is read again when it changes, or a URL that is asked again from time to
 * time, and when a token names a key that nobody knows. The last good keys hold until there are better ones.
 */
import { readFileSync, statSync } from 'node:fs'
import { get } from 'node:https'
import { clock } from '../../../request/clock.ts'
import type { JwtPlan } from '../../../site/filters-plan.ts'
import { http } from '../../../system/http.ts'
import { type Key, parseKeys, secretKey } from './keys.ts'

export interface KeySource {
  /** Null: there are none yet. The same list until it changes. */
  readonly keys: readonly Key[] | null
  /** Calls `done` once keys may have changed. False: it is no use waiting. */
  wait(done: () => void): boolean
  close(): void
}

/** How often a file is looked at, ms. */
const LOOK_AGAIN_MS = 1000
/** A URL is not asked more often because of unknown keys, ms: strangers can make up names of keys. */
const ASK_AGAIN_MS = 10_000
/** The same while there are no keys at all, ms. */
const ASK_SOON_MS = 1_000
const ANSWER_TIMEOUT_MS = 5_000
const LARGEST = 1_048_576
/** Requests that wait for keys at a time. */
const MOST_WAITING = 256

export function keySource(plan: JwtPlan, complain: (message: string) => void): KeySource {
  return plan.url === '' ? new FileKeys(plan, complain) : new UrlKeys(plan, complain)
}

class FileKeys implements KeySource {
  readonly #file: string
  readonly #isSecret: boolean
  readonly #complain: (message: string) => void
  #keys: readonly Key[]
  #looked: number
  #seen: string

  /** Throws where the file cannot be used. */
  constructor({ file, secret }: JwtPlan, complain: (message: string) => void) {
    this.#file = file || secret
    this.#isSecret = secret !== ''
    this.#complain = complain
    this.#looked = clock.now
    this.#seen = this.#mark()
    try {
      this.#keys = this.#read()
    } catch (cause) {
      throw new Error(`auth: ${this.#file} cannot be used: ${reason(cause)}`, { cause })
    }
  }

  get keys(): readonly Key[] {
    if (clock.now - this.#looked >= LOOK_AGAIN_MS) this.#look()
    return this.#keys
  }

  wait(): boolean {
    return false
  }

  close(): void {}

  #look(): void {
    this.#looked = clock.now
    const mark = this.#mark()
    if (mark === this.#seen) return
    this.#seen = mark
    try {
      this.#keys = this.#read()
    } catch (cause) {
      this.#complain(`auth: ${this.#file}: ${reason(cause)}; what it held before is still in use`)
    }
  }

  #read(): readonly Key[] {
    const bytes = readFileSync(this.#file)
    if (!this.#isSecret) return parseKeys(bytes.toString())
    // Editors end a file with a line break, which is no part of the secret.
    let end = bytes.length
    while (end > 0 && (bytes[end - 1] === 0x0a || bytes[end - 1] === 0x0d)) end--
    return [secretKey(bytes.subarray(0, end))]
  }

  #mark(): string {
    try {
      const { mtimeMs, ctimeMs, size, ino } = statSync(this.#file)
      return `${mtimeMs} ${ctimeMs} ${size} ${ino}`
    } catch {
      return 'gone'
    }
  }
}

class UrlKeys implements KeySource {
  readonly #url: string
  readonly #refreshMs: number
  readonly #complain: (message: string) => void
  #keys: readonly Key[] | null = null
  #text = ''
  /** When it was asked last, and when that was answered well. */
  #asked = Number.NEGATIVE_INFINITY
  #fresh = Number.NEGATIVE_INFINITY
  #asking: { destroy(): void } | null = null
  #waiting: (() => void)[] = []

  constructor({ url, refreshMs }: JwtPlan, complain: (message: string) => void) {
    this.#url = url
    this.#refreshMs = refreshMs
    this.#complain = complain
    this.#ask()
  }

  get keys(): readonly Key[] | null {
    const due = this.#fresh + this.#refreshMs
    if (clock.now >= due && this.#mayAsk) this.#ask()
    return this.#keys
  }

  wait(done: () => void): boolean {
    if (this.#waiting.length >= MOST_WAITING) return false
    if (this.#asking === null) {
      if (!this.#mayAsk) return false
      this.#ask()
    }
    this.#waiting.push(done)
    return true
  }

  close(): void {
    this.#asking?.destroy()
  }

  get #mayAsk(): boolean {
    return clock.now - this.#asked >= (this.#keys === null ? ASK_SOON_MS : ASK_AGAIN_MS)
  }

  #ask(): void {
    if (this.#asking !== null) return
    this.#asked = clock.now
    const ask = this.#url.startsWith('https:') ? get : http.get
    const request = ask(this.#url, { agent: false, timeout: ANSWER_TIMEOUT_MS })
    this.#asking = request
    const expire = setTimeout(
      () => request.destroy(new Error('no answer in time')),
      ANSWER_TIMEOUT_MS,
    )
    expire.unref()
    request.on('timeout', () => request.destroy(new Error('no answer in time')))
    let over = false
    const settle = (text: string, error: Error | null): void => {
      if (over) return
      over = true
      clearTimeout(expire)
      this.#asking = null
      this.#take(text, error)
      for (const each of this.#waiting.splice(0)) each()
    }
    request.on('error', (error) => settle('', error))
    request.on('close', () => settle('', new Error('the connection was closed')))
    request.on('response', (response) => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        size += chunk.length
        if (size > LARGEST) request.destroy(new Error(`more than ${LARGEST} bytes`))
      })
      response.on('end', () => {
        const { statusCode = 0, complete } = response
        const bad = statusCode !== 200 ? `status ${statusCode}` : complete ? '' : 'cut short'
        settle(Buffer.concat(chunks).toString(), bad === '' ? null : new Error(bad))
      })
    })
  }

  #take(text: string, error: Error | null): void {
    try {
      if (error !== null) throw error
      if (text !== this.#text) this.#keys = parseKeys(text)
      this.#text = text
      this.#fresh = clock.now
    } catch (cause) {
      const kept =
        this.#keys === null ? 'nobody comes in without' : 'the last ones are still in use'
      this.#complain(`auth: no keys from ${this.#url}: ${reason(cause)}; ${kept}`)
    }
  }
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
