/** `portico import`: another server's configuration as a site file. */
import { basename } from 'node:path'
import type { Command } from 'commander'
import { SiteError } from '../site/problem.ts'
import { EXIT_FAILURE } from './exit.ts'

const EXAMPLES = `
TARGET is what \`portico serve\` takes: app.ini, app.ini:section, gunicorn.conf.py and others. What could
not be carried over stands as comments at the end; problems go to stderr.

Examples:
  portico import /etc/uwsgi/apps-enabled/shop.ini > site.yaml
  portico import gunicorn.conf.py > site.yaml

Exit codes: 0 written, 1 the configuration has problems.
`

export function importCommand(program: Command): void {
  program
    .command('import')
    .description("print another server's configuration as a site file")
    .argument('<target>', 'a configuration of uWSGI or Gunicorn')
    .addHelpText('after', EXAMPLES)
    .action(async (target: string) => {
      process.exitCode = await importSite(target)
    })
}

async function importSite(target: string): Promise<number> {
  const { loadSite } = await import('../site/load.ts')
  const { importedText } = await import('../import/imported-text.ts')
  try {
    process.stdout.write(importedText(await loadSite(target)))
    return 0
  } catch (error) {
    if (!(error instanceof SiteError)) throw error
    process.stderr.write(`${error.message}\n${basename(target)} has problems: nothing is written\n`)
    return EXIT_FAILURE
  }
}
