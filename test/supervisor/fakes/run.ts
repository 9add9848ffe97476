/**
 * Runs the real supervisor over the fake server and the fake warm parent. The plan is read from the
 * JSON file named by the first argument, anew at each reload: `{"error": …}` there is a bad site file.
 */
import { readFileSync } from 'node:fs'
import type { SitePlan } from '../../../src/site/plan.ts'
import { createLogger } from '../../../src/supervisor/logger.ts'
import { supervise } from '../../../src/supervisor/supervisor.ts'

const [file = ''] = process.argv.slice(2)
const logger = createLogger(process.stderr, { format: 'json', colours: false, level: 'debug' })

const inherited = Object.fromEntries(
  Object.entries(process.env).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  ),
)

process.exitCode = await supervise({
  load: async () => {
    const read: SitePlan & { error?: string } = JSON.parse(readFileSync(file, 'utf8'))
    if (read.error !== undefined) throw new Error(read.error)
    return { plan: read, description: 'the test site', warnings: [] }
  },
  logger,
  runtimes: {
    python: {
      name: 'fake',
      command: (app) => ({
        file: app.kind === 'python' ? app.python : '',
        args: [new URL('./parent.py', import.meta.url).pathname],
        env: { ...inherited, ...app.env },
        cwd: '/',
      }),
    },
  },
  serverMain: new URL('./server.ts', import.meta.url).pathname,
  version: '0.0.0-test',
}).catch((error: Error) => {
  logger.error(error.message)
  return 1
})
