/**
 * Jobs through each engine while workers and brokers die, and how many of them a second:
 *
 *     node bench/jobs.ts [100000] [local | Redis | RabbitMQ]
 */
import { spawn } from 'node:child_process'

const [jobs = '100000', only = ''] = process.argv.slice(2)
const vitest = new URL('../node_modules/vitest/vitest.mjs', import.meta.url).pathname
const args = [vitest, 'run', 'test/jobs/losses.test.ts', ...(only === '' ? [] : ['-t', only])]
const child = spawn(process.execPath, args, {
  cwd: new URL('..', import.meta.url),
  env: { ...process.env, PORTICO_JOBS: jobs },
  stdio: 'inherit',
})
child.on('exit', (code) => {
  process.exitCode = code ?? 1
})
