/**
 * Hot: HPACK's Huffman code (RFC 7541 §5.2, appendix B). The code is canonical, so the lengths say all:
 * codes are counted up by length, then by symbol. Decoding takes four bits a step through a table.
 */

/** Of each byte's code, bits: one digit in base 36. */
const LENGTHS =
  'dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca' +
  'd67777777777777777777777878djde6f56565666577666567655677777fbeds' +
  'kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn' +
  'qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq'

const lengths = Uint8Array.from(LENGTHS, (digit) => Number.parseInt(digit, 36))
const codes = new Uint32Array(256)

/** Internal nodes of the code's tree: 257 leaves with EOS. */
const NODES = 256
/** From a node with four bits: the next node, a symbol that was completed, and what is wrong. */
const steps = new Uint32Array(NODES * 16)
const EMITS = 0x100
const FAILS = 0x200
/** The bits so far, from the last symbol on, may be padding: fewer than eight, and all ones. */
const maybePadding = new Uint8Array(NODES)

build()

function build(): void {
  // Children: below 0x1000 a node, from there on a symbol.
  const SYMBOL = 0x1000
  const EOS = SYMBOL + 256
  const tree = new Uint16Array(NODES * 2)
  let nodes = 1
  const add = (symbol: number, code: number, length: number): void => {
    let node = 0
    for (let bit = length - 1; bit > 0; bit--) {
      const child = node * 2 + ((code >>> bit) & 1)
      if (tree[child] === 0) tree[child] = nodes++
      node = tree[child]!
    }
    tree[node * 2 + (code & 1)] = symbol
  }
  const order = Array.from(lengths.keys()).sort((a, b) => lengths[a]! - lengths[b]! || a - b)
  let code = 0
  let length = 0
  for (const symbol of order) {
    code <<= lengths[symbol]! - length
    length = lengths[symbol]!
    codes[symbol] = code
    add(SYMBOL + symbol, code, length)
    code++
  }
  add(EOS, 0x3fffffff, 30)
  for (let node = 0, depth = 0; depth < 8; depth++) {
    maybePadding[node] = 1
    node = tree[node * 2 + 1]!
  }
  for (let from = 0; from < NODES; from++) {
    for (let bits = 0; bits < 16; bits++) {
      let node = from
      let found = 0
      for (let bit = 3; bit >= 0; bit--) {
        const child = tree[node * 2 + ((bits >>> bit) & 1)]!
        if (child === EOS) {
          found = FAILS
          break
        }
        if (child < SYMBOL) node = child
        else {
          // The shortest code has five bits: four complete at most one symbol.
          found = EMITS | ((child - SYMBOL) << 16)
          node = 0
        }
      }
      steps[from * 16 + bits] = found | node
    }
  }
}

let scratch = Buffer.allocUnsafeSlow(4096)

/** Decodes `bytes[from, to)` to latin-1. Null for what is no Huffman code, EOS and wrong padding included. */
export function decodeHuffman(bytes: Uint8Array, from: number, to: number): string | null {
  // Eight bits hold at most one and three fifths symbols.
  const most = (((to - from) * 8) / 5 + 1) | 0
  if (most > scratch.length) scratch = Buffer.allocUnsafeSlow(most * 2)
  let node = 0
  let length = 0
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!
    const high = steps[node * 16 + (byte >>> 4)]!
    if ((high & EMITS) !== 0) scratch[length++] = high >>> 16
    const low = steps[(high & 0xff) * 16 + (byte & 15)]!
    if ((low & EMITS) !== 0) scratch[length++] = low >>> 16
    if (((high | low) & FAILS) !== 0) return null
    node = low & 0xff
  }
  return maybePadding[node] === 1 ? scratch.toString('latin1', 0, length) : null
}

/** Bytes that `text` (latin-1) takes when it is encoded. */
export function huffmanSize(text: string): number {
  let bits = 0
  for (let i = 0; i < text.length; i++) bits += lengths[text.charCodeAt(i)]!
  return (bits + 7) >>> 3
}

/** Writes `text` (latin-1) encoded at `at`; returns where it ends. */
export function writeHuffman(into: Uint8Array, at: number, text: string): number {
  let to = at
  // At most seven bits wait, and a code has at most 28: two halves, so that 32 bits are enough.
  let waiting = 0
  let count = 0
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i)
    const code = codes[symbol]!
    let left = lengths[symbol]!
    if (left > 16) {
      left -= 16
      waiting = (waiting << left) | (code >>> 16)
      count += left
      while (count >= 8) {
        count -= 8
        into[to++] = waiting >>> count
      }
      left = 16
    }
    waiting = (waiting << left) | (code & 0xffff)
    count += left
    while (count >= 8) {
      count -= 8
      into[to++] = waiting >>> count
    }
  }
  // §5.2: the rest is filled with the first bits of EOS, which are ones.
  if (count > 0) into[to++] = (waiting << (8 - count)) | (0xff >>> count)
  return to
}
