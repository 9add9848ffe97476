/** `portico completion`: what a shell needs to complete the command line. */
import { Argument, type Command } from 'commander'
import { completion, SHELLS, type Shell } from '../install/completion.ts'
import { wordsOf } from '../install/words.ts'

const EXAMPLES = `
Examples:
  source <(portico completion bash)                       for this shell
  portico completion bash > /usr/share/bash-completion/completions/portico
  portico completion zsh > "\${fpath[1]}/_portico"
  portico completion fish > ~/.config/fish/completions/portico.fish
`

export function completionCommand(program: Command, whole: () => Promise<Command>): void {
  program
    .command('completion')
    .description('print a script that completes the command line')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .addHelpText('after', EXAMPLES)
    .action(async (shell: Shell) => {
      process.stdout.write(completion(shell, wordsOf(await whole())))
    })
}
