/** Named pipes that take letters, as uWSGI's master FIFO does: `echo r > fifo` reloads. */
import { execFileSync } from 'node:child_process'
import { closeSync, constants, fstatSync, lstatSync, openSync, unlinkSync } from 'node:fs'
import { Socket } from 'node:net'
import { LETTERS, type Meaning } from './guise.ts'
import type { Logger } from './logger.ts'

export interface Fifo {
  /** Closes the pipe and removes it. */
  close(): void
}

/** Only who owns the site may write; both ends are ours, so that a writer's end is no end. */
const MODE = '600'
const FLAGS = constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOFOLLOW

/** Throws with the reason when there can be no pipe at `path`. One that is there is replaced. */
export function openFifo(
  path: string,
  heard: (meaning: Meaning, letter: string) => void,
  logger: Logger,
): Fifo {
  const before = lstatSync(path, { throwIfNoEntry: false })
  if (before !== undefined) {
    if (!before.isFIFO()) throw new Error(`${path} exists and is no FIFO; move it away`)
    unlinkSync(path)
  }
  execFileSync('mkfifo', ['-m', MODE, path], { stdio: 'ignore' })
  const { ino } = lstatSync(path)
  const fd = openSync(path, FLAGS)
  // In a folder of somebody else's it may be another's by now.
  if (fstatSync(fd).ino !== ino || !fstatSync(fd).isFIFO()) {
    closeSync(fd)
    throw new Error(`${path} was exchanged for something else`)
  }
  const stream = new Socket({ fd, readable: true, writable: false })
  stream.on('data', (chunk: Buffer) => {
    for (const letter of chunk.toString('latin1')) {
      if (letter === '\n' || letter === '\r' || letter === ' ') continue
      const meaning = Object.hasOwn(LETTERS, letter) ? LETTERS[letter] : undefined
      if (meaning !== undefined) heard(meaning, letter)
      else logger.warn(`${path}: the letter ${JSON.stringify(letter)} means nothing`)
    }
  })
  stream.on('error', (error) => logger.warn(`${path} cannot be read: ${error.message}`))
  return {
    close() {
      stream.destroy()
      if (lstatSync(path, { throwIfNoEntry: false })?.ino === ino) unlinkSync(path)
    },
  }
}
