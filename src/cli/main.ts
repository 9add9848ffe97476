/** The command line: finds the command and loads that one alone, so that each starts fast. */
import { CommanderError } from 'commander'
import { EXIT_FAILURE, EXIT_USAGE } from './exit.ts'
import { createProgram } from './program.ts'

async function main(args: readonly string[]): Promise<void> {
  const program = await createProgram(args.find((word) => !word.startsWith('-')))
  await program.parseAsync(args, { from: 'user' })
}

// A reader that leaves early (`portico status | head -1`) is no failure of ours.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE
  } else {
    process.stderr.write(`portico: ${error instanceof Error ? error.message : error}\n`)
    process.exitCode = EXIT_FAILURE
  }
}
