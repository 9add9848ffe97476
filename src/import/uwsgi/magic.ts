/**
 * `%d`, `%n`, … in a configuration file (uWSGI's "magic variables"). They are replaced in the text
 * before it is read as anything, as uWSGI does: in keys and section names too, and at the end of a line,
 * where the line break is swallowed.
 */
import { basename, dirname, resolve } from 'node:path'

/** What the variables that are the same for every file stand for. */
export interface Machine {
  /** Where uWSGI would have been started. */
  readonly cwd: string
  readonly host: string
  readonly cores: number
  readonly uid: number
  readonly user: string
  readonly gid: number
  readonly group: string
  /** Seconds since the epoch. */
  readonly now: number
}

export type Magic = Readonly<Record<string, string>>

/** `file`: as it was named; `section`: the one that was asked for, '' for the usual one. */
export function magicOf(file: string, section: string, inode: number, machine: Machine): Magic {
  const path = resolve(machine.cwd, file)
  const name = basename(path)
  const folder = dirname(path)
  const parts = folder.split('/').filter((part) => part !== '')
  const dot = name.lastIndexOf('.')
  return {
    v: machine.cwd,
    h: machine.host,
    t: String(machine.now),
    T: `${machine.now}000000`,
    k: String(machine.cores),
    u: String(machine.uid),
    U: machine.user,
    g: String(machine.gid),
    G: machine.group,
    V: '2.0.21',
    j: hash(path),
    b: process.execPath,
    '[': '\x1b',
    o: file,
    p: file.startsWith('/') ? file : `${machine.cwd}/${file}`,
    s: name,
    d: folder === '/' ? '/' : `${folder}/`,
    c: parts.at(-1) ?? '',
    e: dot < 0 ? '' : name.slice(dot + 1),
    n: dot < 0 ? '' : name.slice(0, dot),
    x: section,
    i: inode.toString(),
    ...Object.fromEntries(parts.slice(0, 10).map((part, index) => [String(index), part])),
    '%': '%',
    '(': '%(',
  }
}

/** As uWSGI writes it: djb33x, in hexadecimal, the lowest byte first. */
function hash(text: string): string {
  let value = 5381
  for (const byte of Buffer.from(text)) value = (Math.imul(value, 33) ^ byte) >>> 0
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes.toString('hex').toUpperCase()
}

export interface Replaced {
  readonly text: string
  /** For each character of `text`, and for its end, where it stands in the file. */
  readonly at: Uint32Array
}

/** What is no variable stands for nothing: `%y` disappears. A % at the very end stays. */
export function replaceMagic(source: string, magic: Magic): Replaced {
  const parts: string[] = []
  const at: number[] = []
  for (let index = 0; index < source.length; index++) {
    const isVariable = source[index] === '%' && index + 1 < source.length
    const text = isVariable ? (magic[source[index + 1]!] ?? '') : source[index]!
    parts.push(text)
    for (let each = 0; each < text.length; each++) at.push(index)
    if (isVariable) index++
  }
  at.push(source.length)
  return { text: parts.join(''), at: Uint32Array.from(at) }
}
