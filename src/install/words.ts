/** The command line's own words, as completion and manual need them: told by commander, written once. */
import type { Command, Option } from 'commander'

export interface CommandWords {
  /** '' for the program itself. */
  readonly name: string
  readonly sentence: string
  /** `[target]`, `<id>` */
  readonly arguments: readonly string[]
  readonly options: readonly OptionWords[]
  /** The text after the options: examples and exit codes. */
  readonly examples: string
}

export interface OptionWords {
  /** `-b` and `--bind`, those that there are. */
  readonly names: readonly string[]
  /** `<address>`; '' for a flag. */
  readonly value: string
  readonly sentence: string
  readonly choices: readonly string[]
}

/** Subcommands follow their command, named as they are typed: `jobs put`. */
export function wordsOf(program: Command): CommandWords[] {
  return [describe(program, ''), ...inside(program, '')]
}

function inside(command: Command, prefix: string): CommandWords[] {
  return command.commands.flatMap((sub) => {
    const name = `${prefix}${sub.name()}`
    return [describe(sub, name), ...inside(sub, `${name} `)]
  })
}

function describe(command: Command, name: string): CommandWords {
  return {
    name,
    sentence: command.description(),
    arguments: command.registeredArguments.map((argument) => {
      const text = `${argument.name()}${argument.variadic ? '...' : ''}`
      return argument.required ? `<${text}>` : `[${text}]`
    }),
    options: command.options.filter((option) => !option.hidden).map(describeOption),
    examples: textAfter(command),
  }
}

function describeOption(option: Option): OptionWords {
  const value = /[<[].*$/.exec(option.flags)?.[0] ?? ''
  return {
    names: [option.short, option.long].filter((name) => name !== undefined),
    value,
    sentence: option.description,
    choices: option.argChoices ?? [],
  }
}

/** What `addHelpText('after', …)` prints. */
function textAfter(command: Command): string {
  let printed = ''
  const before = command.configureOutput()
  command.configureOutput({ ...before, writeOut: (text) => (printed += text) })
  command.outputHelp()
  command.configureOutput(before)
  const help = command.helpInformation()
  return printed.slice(printed.indexOf(help) + help.length).trim()
}
