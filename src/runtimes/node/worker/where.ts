/** Where the application's thread is, however stuck: for the thread beside it. */
import { type Debugger, type InspectorNotification, Session } from 'node:inspector'
import { parentPort } from 'node:worker_threads'
import { isForeign } from '../../../fetch/server.ts'
import type { ToMain } from '../orders.ts'

/** A main thread that has not stopped by then runs no JavaScript, ms. */
const PAUSE_MS = 800
/** One that is awake answers in this time, ms. */
const AWAKE_MS = 100

let awake: (waits: string) => void = () => {}

/** The main thread has answered: what it waits for. */
export function mainIsAwake(waits: string): void {
  awake(waits)
}

/**
 * A main thread that answers runs nothing that is stuck, and is not to be paused in something else: it
 * says itself what it waits for.
 */
export function whereMainIs(): Promise<string> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(stackOfMain()), AWAKE_MS)
    awake = (waits) => {
      clearTimeout(timer)
      resolve(
        `The main thread is not stuck: it runs no JavaScript just now and waits for something. What may wake it: ${waits}`,
      )
    }
    parentPort!.postMessage({ type: 'look' } satisfies ToMain)
  })
}

function stackOfMain(): Promise<string> {
  const session = new Session()
  const scripts = new Map<string, string>()
  session.on('Debugger.scriptParsed', ({ params }) => scripts.set(params.scriptId, params.url))
  session.connectToMainThread()
  return new Promise((resolve) => {
    const say = (text: string): void => {
      clearTimeout(late)
      session.disconnect()
      resolve(`Stack of the main thread (most recent call first):\n${text}`)
    }
    const late = setTimeout(
      () => say('it runs no JavaScript just now: it waits, or is inside of a native function'),
      PAUSE_MS,
    )
    session.once(
      'Debugger.paused',
      ({ params }: InspectorNotification<Debugger.PausedEventDataType>) =>
        say(ownPart(params.callFrames.map((frame) => lineOf(frame, scripts))).join('\n')),
    )
    session.post('Debugger.enable')
    session.post('Debugger.pause')
  })
}

/** Without our frames, unless there are no others. */
function ownPart(lines: readonly string[]): readonly string[] {
  const own = lines.filter((line) => !isForeign(line))
  return own.length === 0 ? lines : own
}

function lineOf(frame: Debugger.CallFrame, scripts: ReadonlyMap<string, string>): string {
  const { functionName, location } = frame
  const url = scripts.get(location.scriptId) ?? frame.url
  const name = functionName === '' ? '<anonymous>' : functionName
  return `    at ${name} (${url}:${location.lineNumber + 1}:${(location.columnNumber ?? 0) + 1})`
}
