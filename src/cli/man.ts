/** `portico man`: the manual page. */
import type { Command } from 'commander'
import about from '../../package.json' with { type: 'json' }
import { manual } from '../install/manual.ts'
import { wordsOf } from '../install/words.ts'

const EXAMPLES = `
Examples:
  portico man | man -l -                                  read it
  portico man > /usr/local/share/man/man1/portico.1       install it
`

export function manCommand(program: Command, whole: () => Promise<Command>): void {
  program
    .command('man')
    .description('print the manual page')
    .addHelpText('after', EXAMPLES)
    .action(async () => {
      process.stdout.write(manualPage(await whole()))
    })
}

export function manualPage(program: Command): string {
  const date = new Date().toISOString().slice(0, 10)
  return manual(wordsOf(program), { version: about.version, date })
}
