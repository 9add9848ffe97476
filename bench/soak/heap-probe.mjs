/**
 * Loaded into the Node processes of a soak: collects their garbage now and then, and notes what lives.
 * Memory that nobody needs any more, and that nobody has collected yet, is no growth.
 */
import { appendFileSync } from 'node:fs'
import { basename } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { threadId } from 'node:worker_threads'

const EVERY_MS = 10_000

const file = process.env.PORTICO_HEAP_FILE
const program = basename(process.argv[1] ?? '')
// The supervisor; the server's main thread and the others. Applications are left alone.
if (file !== undefined && ['portico', 'main.ts', 'thread.ts'].includes(program)) {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  setInterval(() => {
    collect()
    const { heapUsed } = process.memoryUsage()
    appendFileSync(file, `${Date.now()} ${process.pid} ${threadId} ${heapUsed}\n`)
  }, EVERY_MS).unref()
}
