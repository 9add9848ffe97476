/** Completion of the command line, for bash, zsh and fish. */
import type { CommandWords, OptionWords } from './words.ts'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

export function completion(shell: Shell, words: readonly CommandWords[]): string {
  switch (shell) {
    case 'bash':
      return bash(words)
    case 'zsh':
      return zsh(words)
    case 'fish':
      return fish(words)
  }
}

const HELP: OptionWords = {
  names: ['-h', '--help'],
  value: '',
  sentence: 'show the help of this command',
  choices: [],
}

/** Of the words so far, the longest run that names a command decides which options there are. */
function bash(words: readonly CommandWords[]): string {
  const names = words.filter(({ name }) => name !== '').map(({ name }) => name)
  const cases = words.map(({ name, options }) => {
    const all = [...options, HELP].flatMap((option) => option.names)
    const subs = names.filter((other) => parent(other) === name).map(last)
    return `    ${quoted(name)}) words=${quoted([...all, ...subs].join(' '))} ;;`
  })
  const valued = words.flatMap(({ name, options }) =>
    options
      .filter(({ choices }) => choices.length > 0)
      .flatMap(({ names: flags, choices }) =>
        flags.map(
          (flag) => `    ${quoted(`${name}|${flag}`)}) words=${quoted(choices.join(' '))} ;;`,
        ),
      ),
  )
  return `# bash completion of portico; made by \`portico completion bash\`
_portico() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} name='' word words='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "\${name:+$name }$word" in
      ${names.map((name) => `'${name}'`).join('|')}) name="\${name:+$name }$word" ;;
    esac
  done
  case "$name|$before" in
${valued.join('\n')}
  esac
  if [[ -z $words ]]; then
    case "$name" in
${cases.join('\n')}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [[ -n $name && $current != -* ]] && COMPREPLY+=($(compgen -f -- "$current"))
  return 0
}
complete -o filenames -F _portico portico
`
}

function zsh(words: readonly CommandWords[]): string {
  const own = words.filter(({ name }) => parent(name) === '' && name !== '')
  const cases = own.map(({ name, options }) => {
    const subs = words.filter((other) => parent(other.name) === name && other.name !== '')
    const specs = [...options, HELP].flatMap(zshOption)
    const rest =
      subs.length === 0
        ? `'*:file:_files'`
        : `'1: :(${subs.map((sub) => last(sub.name)).join(' ')})' '*:file:_files'`
    return `    ${name}) _arguments ${specs.join(' ')} ${rest} ;;`
  })
  return `#compdef portico
# zsh completion of portico; made by \`portico completion zsh\`
_portico() {
  local -a commands
  commands=(
${own.map(({ name, sentence }) => `    ${quoted(`${name}:${sentence.replaceAll(':', '\\:')}`)}`).join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join('\n')}
  esac
}
_portico "$@"
`
}

function zshOption({ names, value, sentence, choices }: OptionWords): string[] {
  const text = sentence.replace(/[[\]:]/g, '\\$&')
  const takes = value === '' ? '' : `:${value.replace(/[<>[\]:.]/g, '')}:${zshValues(choices)}`
  return names.map((name) => quoted(`*${name}[${text}]${takes}`))
}

function zshValues(choices: readonly string[]): string {
  return choices.length === 0 ? '_files' : `(${choices.join(' ')})`
}

function fish(words: readonly CommandWords[]): string {
  const lines = words.flatMap(({ name, sentence, options }) => {
    const [first = '', second = ''] = name.split(' ')
    const where = name === '' ? '' : condition(name)
    const self =
      name === ''
        ? []
        : [
            `complete -c portico -f -n ${second === '' ? '__fish_use_subcommand' : quoted(`__fish_seen_subcommand_from ${first}`)} -a ${last(name)} -d ${quoted(sentence)}`,
          ]
    return [...self, ...[...options, HELP].map((option) => fishOption(option, where))]
  })
  return `# fish completion of portico; made by \`portico completion fish\`\n${lines.join('\n')}\n`
}

function condition(name: string): string {
  const seen = name.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`)
  return ` -n ${quoted(seen.join('; and '))}`
}

function fishOption({ names, value, sentence, choices }: OptionWords, where: string): string {
  const flags = names.map((name) =>
    name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
  )
  const takes =
    value === '' ? '' : choices.length === 0 ? ' -r' : ` -x -a ${quoted(choices.join(' '))}`
  return `complete -c portico${where} ${flags.join(' ')}${takes} -d ${quoted(sentence)}`
}

function parent(name: string): string {
  return name.split(' ').slice(0, -1).join(' ')
}

function last(name: string): string {
  return name.split(' ').at(-1) ?? ''
}

/** In single quotes, as all three shells read them. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
