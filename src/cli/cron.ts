/** `portico cron`: what a running site does at times, and runs of it asked for by hand. */
import type { Command } from 'commander'
import type { LastRun } from '../background/task.ts'
import { askAdmin } from '../supervisor/ask-admin.ts'
import type { SiteStatus } from '../supervisor/status.ts'
import { findAdmin } from './admin-client.ts'
import { EXIT_FAILURE } from './exit.ts'

interface Flags {
  readonly admin?: string
  readonly json?: true
}

const EXAMPLES = `
Tasks are what \`cron\`, \`timers\` and \`watch\` of the site file say, and what applications declare.

Examples:
  portico cron                   what the site that is served from this folder runs, and when next
  portico cron site.yaml --json
  portico cron run clean         run the task "clean" now, and wait for its end
  portico cron run shop/clean    the function clean that the application shop declares

Exit codes of run: 0 the run went well, 1 it failed, or did not begin.
`

export function cronCommand(program: Command): void {
  const cron = program
    .command('cron')
    .description('show what a running site does at times, or have it done now')
    .addHelpText('after', EXAMPLES)
  cron
    .command('list', { isDefault: true })
    .description('list the tasks with their next runs (the default)')
    .argument('[target]', 'what was given to serve', '.')
    .option('--admin <path>', 'the admin socket of the running site')
    .option('--json', 'print them as JSON')
    .action(async (target: string, flags: Flags) => {
      const path = await findAdmin(target, flags.admin)
      const { background }: SiteStatus = JSON.parse((await askAdmin(path, 'GET', '/status')).body)
      if (flags.json === true) {
        process.stdout.write(`${JSON.stringify(background.tasks)}\n`)
        return
      }
      const { taskTable } = await import('./background-text.ts')
      const lines = taskTable(background.tasks)
      process.stdout.write(lines.length === 0 ? 'no tasks\n' : `${lines.join('\n')}\n`)
    })
  cron
    .command('run')
    .description('run a task now, and wait for its end')
    .argument('<name>', 'the task')
    .argument('[target]', 'what was given to serve', '.')
    .option('--admin <path>', 'the admin socket of the running site')
    .option('--json', 'print the result as JSON')
    .action(async (name: string, target: string, flags: Flags) => {
      process.exitCode = await run(name, await findAdmin(target, flags.admin), flags)
    })
}

async function run(name: string, admin: string, flags: Flags): Promise<number> {
  const answer = await askAdmin(admin, 'POST', `/run?name=${encodeURIComponent(name)}`)
  if (flags.json === true) process.stdout.write(answer.body)
  if (answer.status !== 200) {
    const { error }: { error: string } = JSON.parse(answer.body)
    if (flags.json !== true) process.stderr.write(`portico: ${error}\n`)
    return EXIT_FAILURE
  }
  const { ok, how, id, ms }: LastRun = JSON.parse(answer.body)
  if (flags.json !== true) {
    const result = ok ? 'done' : 'failed'
    process.stdout.write(`${name}: ${result} (${how}, ${ms} ms; run ${id} in the log)\n`)
  }
  return ok ? 0 : EXIT_FAILURE
}
