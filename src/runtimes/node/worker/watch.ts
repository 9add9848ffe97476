/**
 * A thread beside the application's: hears the warm parent however stuck the application is, writes down
 * where that is, and ends the process with its parent. 14 ms and some memory at the start, nothing after.
 */
import { writeSync } from 'node:fs'
import { type Debugger, type InspectorNotification, Session } from 'node:inspector'
import { Socket } from 'node:net'
import { parentPort } from 'node:worker_threads'
import { LineReader } from '../../../supervisor/lines.ts'
import type { ToWorker } from '../orders.ts'

const LONGEST_LINE = 65_536
/** A main thread that has not stopped by then runs no JavaScript, ms. */
const PAUSE_MS = 800
/** One that is awake answers in this time, ms. */
const AWAKE_MS = 100
const STDERR = 2

const control = new Socket({ fd: 3, readable: true, writable: false })
const reader = new LineReader(LONGEST_LINE, (line) => {
  const message: ToWorker = JSON.parse(line)
  if (message.type === 'traceback') lookAtMain()
  else parentPort!.postMessage(message)
})
control.on('data', (chunk: Buffer) => reader.feed(chunk))
control.on('error', () => {})
// The warm parent has ended, however: so does all that it started.
control.on('close', () => process.kill(process.pid, 'SIGKILL'))

/** The main thread has answered. */
let isAwake = false
parentPort!.on('message', () => {
  isAwake = true
})

/**
 * A main thread that answers runs nothing that is stuck, and is not to be paused in something else: it
 * says itself what it waits for.
 */
function lookAtMain(): void {
  isAwake = false
  parentPort!.postMessage({ type: 'look' } satisfies ToWorker)
  setTimeout(() => {
    if (!isAwake) writeStack()
  }, AWAKE_MS)
}

function writeStack(): void {
  const session = new Session()
  const scripts = new Map<string, string>()
  session.on('Debugger.scriptParsed', ({ params }) => scripts.set(params.scriptId, params.url))
  session.connectToMainThread()
  const late = setTimeout(() => {
    say('it runs no JavaScript just now: it waits, or is inside of a native function')
    session.disconnect()
  }, PAUSE_MS)
  session.once(
    'Debugger.paused',
    ({ params }: InspectorNotification<Debugger.PausedEventDataType>) => {
      clearTimeout(late)
      say(params.callFrames.map((frame) => lineOf(frame, scripts)).join('\n'))
      session.disconnect()
    },
  )
  session.post('Debugger.enable')
  session.post('Debugger.pause')
}

function say(text: string): void {
  writeSync(STDERR, `Stack of the main thread (most recent call first):\n${text}\n`)
}

function lineOf(frame: Debugger.CallFrame, scripts: ReadonlyMap<string, string>): string {
  const { functionName, location } = frame
  const url = scripts.get(location.scriptId) ?? frame.url
  const name = functionName === '' ? '<anonymous>' : functionName
  return `    at ${name} (${url}:${location.lineNumber + 1}:${(location.columnNumber ?? 0) + 1})`
}
