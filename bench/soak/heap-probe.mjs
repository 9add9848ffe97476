/** Loaded into every Node process of a soak (`--heap`): tells what lives after a collection. */
import { appendFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { threadId } from 'node:worker_threads'

const EVERY_MS = 5_000

const file = process.env.PORTICO_HEAP_FILE
if (file !== undefined) {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  setInterval(() => {
    collect()
    const { heapUsed, external, rss } = process.memoryUsage()
    const name = process.argv[1]?.split('/').at(-1)
    appendFileSync(
      file,
      `${process.pid} ${threadId} ${name} ${process.uptime().toFixed(0)} ${heapUsed} ${external} ${rss}\n`,
    )
  }, EVERY_MS).unref()
}
