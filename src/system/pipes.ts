/** Descriptors for the programs we start: pipes, and files without a name. */
import { unlinkSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import koffi from 'koffi'
import { checked, closeOnExec } from './libc.ts'

const darwin = process.platform === 'darwin'

const O_RDONLY = 0
const O_CLOEXEC = darwin ? 0x0100_0000 : 0o2000000
const MFD_CLOEXEC = 1

interface Library {
  readonly pipe: (ends: Int32Array) => number
  readonly open: (path: string, flags: number) => number
  readonly close: (fd: number) => number
  readonly read: (fd: number, into: Uint8Array, length: number) => number
  /** Linux only. */
  readonly memfdCreate: ((name: string, flags: number) => number) | null
}

let library: Library | null = null
let files = 0
let empty = -1

function load(): Library {
  const own = koffi.load(null)
  const pipe = darwin
    ? own.func('int pipe(void *ends)')
    : own.func('int pipe2(void *ends, int flags)')
  return {
    pipe: darwin ? pipe : (ends) => pipe(ends, O_CLOEXEC),
    // Without the mode that only a new file needs: like fcntl in sendfile.ts.
    open: own.func('int open(const char *path, int flags)'),
    close: own.func('int close(int fd)'),
    read: own.func('intptr_t read(int fd, void *into, uintptr_t length)'),
    memfdCreate: darwin ? null : own.func('int memfd_create(const char *name, uint32_t flags)'),
  }
}

/** A pipe that no program inherits: its reading end, its writing end. Throws SystemCallError. */
export function openPipe(): readonly [reading: number, writing: number] {
  library ??= load()
  const ends = new Int32Array(2)
  checked('pipe', library.pipe(ends))
  const [reading = -1, writing = -1] = ends
  if (darwin) for (const fd of ends) closeOnExec(fd)
  return [reading, writing]
}

/**
 * Closes what was opened here. `node:fs` would not do: it keeps account of the files of each thread, and
 * complains of those that it did not open.
 */
export function closeFile(fd: number): void {
  library ??= load()
  library.close(fd)
}

/** What is in a pipe now, up to `into.length` bytes; 0 when it is empty, or nobody writes any more. */
export function readNow(fd: number, into: Uint8Array): number {
  library ??= load()
  return Math.max(0, library.read(fd, into, into.length))
}

/** A file to read, which no program inherits. Throws SystemCallError. */
export function openFile(path: string): number {
  library ??= load()
  return checked('open', library.open(path, O_RDONLY | O_CLOEXEC))
}

/**
 * A file without a name that holds `bytes`, to be read from its beginning: a program's input that needs
 * nobody to feed it. In memory where the system can, else in `folder`. Throws what `node:fs` throws.
 */
export function anonymousFile(bytes: Uint8Array, folder: string): number {
  library ??= load()
  if (library.memfdCreate === null) return unlinkedFile(bytes, folder)
  const fd = checked('memfd_create', library.memfdCreate('body', MFD_CLOEXEC))
  try {
    // By position, so that the file's own stays at its beginning.
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at)
    return fd
  } catch (cause) {
    closeFile(fd)
    throw cause
  }
}

function unlinkedFile(bytes: Uint8Array, folder: string): number {
  const unique = process.hrtime.bigint().toString(36)
  const path = join(folder, `input-${process.pid}-${unique}-${files++}`)
  writeFileSync(path, bytes, { flag: 'wx', mode: 0o600 })
  try {
    return openFile(path)
  } finally {
    unlinkSync(path)
  }
}

/** The input of a program that gets none. One for all, never closed. */
export function nothing(): number {
  if (empty < 0) empty = openFile('/dev/null')
  return empty
}
