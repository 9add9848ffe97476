/**
 * A thread beside the application's: hears the warm parent however stuck the application is, writes down
 * where that is, and ends the process with its parent. In a job worker it also looks after the job in hand.
 * 14 ms and some memory at the start, nothing after.
 */
import { Socket } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { LineReader } from '../../../supervisor/lines.ts'
import type { Role } from '../../runtime.ts'
import type { FromMain, ToWorker } from '../orders.ts'
import { say } from './say.ts'
import { mainIsAwake, whereMainIs } from './where.ts'

const LONGEST_LINE = 65_536

const role: Role | null = workerData
// Other processes do without its code.
const taker =
  role?.kind === 'jobs' ? new (await import('../roles/job-taker.ts')).JobTaker(role) : null

const control = new Socket({ fd: 3, readable: true, writable: false })
const reader = new LineReader(LONGEST_LINE, (line) => {
  const message: ToWorker = JSON.parse(line)
  if (message.type === 'traceback') void whereMainIs().then((text) => say(text))
  else if (taker === null) parentPort!.postMessage(message)
  else if (message.type === 'retire') taker.leave()
})
control.on('data', (chunk: Buffer) => reader.feed(chunk))
control.on('error', () => {})
// The warm parent has ended, however: so does all that it started.
control.on('close', () => process.kill(process.pid, 'SIGKILL'))

parentPort!.on('message', (message: FromMain) => {
  if (message.type === 'awake') mainIsAwake(message.waits)
  else taker?.heard(message)
})
