/** What a program that we have started prints, line by line. */
import type { ChildProcess } from 'node:child_process'
import { LineReader } from './lines.ts'
import { LONGEST_LOG_LINE } from './log-socket.ts'

/** Calls `line` for each line of stdout and stderr that is not empty. */
export function readOutput({ stdout, stderr }: ChildProcess, line: (text: string) => void): void {
  for (const stream of [stdout, stderr]) {
    const reader = new LineReader(LONGEST_LOG_LINE, (text) => text !== '' && line(text))
    stream?.on('data', (chunk: Buffer) => reader.feed(chunk))
    stream?.on('end', () => reader.end())
    // Its end is told by `close` as well.
    stream?.on('error', () => {})
  }
}
