/** Puts jobs one after another; a line for each that was taken: its id, or `!` and why it was not. */
import { writeSync } from 'node:fs'
import { JobError } from '../../src/jobs/engine.ts'
import { openLocal } from '../../src/jobs/local/engine.ts'

const [path = ''] = process.argv.slice(2)
const engine = await openLocal({ path, largest: 0 }, { work() {}, warn() {} })
for (let number = 0; ; number++) {
  try {
    const id = await engine.put({
      id: `j${number}`,
      queue: 'default',
      name: 'job',
      payload: Buffer.alloc(500),
      priority: 0,
      putAt: Date.now(),
      dueAt: 0,
      attempts: 0,
      maxAttempts: 3,
      backoffMs: 0,
      deadlineMs: 0,
      keepMs: 0,
      key: '',
    })
    writeSync(1, `${id}\n`)
  } catch (error) {
    writeSync(1, `!${error instanceof JobError ? error.code : ''} ${error}\n`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
