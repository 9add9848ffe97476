/**
 * Hot: HalfSipHash-1-3 with a secret key and a result of 64 bits (Aumasson and Bernstein, "SipHash"; the
 * kernel's hsiphash): nobody can choose keys that fall into one place of a table. One latin-1 character
 * is one byte.
 */

/** Of the last text. Fields, so that no object is made for a request. */
export interface KeyHash {
  readonly low: number
  readonly high: number
  of(text: string): void
  /** As if the text had been hashed that gave this. */
  recall(low: number, high: number): void
}

export function keyHash(key0: number, key1: number): KeyHash {
  return new HalfSipHash(key0, key1)
}

class HalfSipHash implements KeyHash {
  low = 0
  high = 0
  readonly #key0: number
  readonly #key1: number
  #v0 = 0
  #v1 = 0
  #v2 = 0
  #v3 = 0

  constructor(key0: number, key1: number) {
    this.#key0 = key0 | 0
    this.#key1 = key1 | 0
  }

  recall(low: number, high: number): void {
    this.low = low
    this.high = high
  }

  of(text: string): void {
    const { length } = text
    this.#v0 = this.#key0
    this.#v1 = this.#key1 ^ 0xee
    this.#v2 = 0x6c796765 ^ this.#key0
    this.#v3 = 0x74656462 ^ this.#key1
    const whole = length & ~3
    for (let at = 0; at < whole; at += 4) {
      this.#word(
        byte(text, at) |
          (byte(text, at + 1) << 8) |
          (byte(text, at + 2) << 16) |
          (byte(text, at + 3) << 24),
      )
    }
    let last = length << 24
    for (let at = whole; at < length; at++) last |= byte(text, at) << (8 * (at & 3))
    this.#word(last)
    this.#v2 ^= 0xee
    for (let round = 0; round < 3; round++) this.#round()
    this.low = this.#v1 ^ this.#v3
    this.#v1 ^= 0xdd
    for (let round = 0; round < 3; round++) this.#round()
    this.high = this.#v1 ^ this.#v3
  }

  #word(word: number): void {
    this.#v3 ^= word
    this.#round()
    this.#v0 ^= word
  }

  #round(): void {
    let v0 = this.#v0
    let v1 = this.#v1
    let v2 = this.#v2
    let v3 = this.#v3
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
    this.#v0 = v0
    this.#v1 = v1
    this.#v2 = v2
    this.#v3 = v3
  }
}

function byte(text: string, at: number): number {
  return text.charCodeAt(at) & 0xff
}
