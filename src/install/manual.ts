/** The manual page portico(1), as man(7) wants it. */
import type { CommandWords, OptionWords } from './words.ts'

export interface ManualFacts {
  readonly version: string
  /** As `2026-11-21`. */
  readonly date: string
}

export function manual(words: readonly CommandWords[], { version, date }: ManualFacts): string {
  const [program, ...commands] = words
  if (program === undefined) return ''
  const title = `.TH PORTICO 1 ${argument(date)} ${argument(`portico ${version}`)} "User Commands"`
  return [
    title,
    '.SH NAME',
    `portico \\- ${lower(text(program.sentence))}`,
    '.SH SYNOPSIS',
    '.B portico',
    '.I command',
    '[options] [arguments]',
    '.SH DESCRIPTION',
    text(program.sentence),
    '.SH COMMANDS',
    ...commands.flatMap(section),
    '.SH FILES',
    '.TP',
    '.I site.yaml',
    'The site file; its reference is printed by',
    '.B portico docs\\fR.',
    '.SH EXAMPLES',
    ...listing(program.examples),
    '.SH SEE ALSO',
    '.BR systemd.service (5),',
    '.BR logrotate (8)',
    '',
  ].join('\n')
}

function section({ name, arguments: takes, sentence, options, examples }: CommandWords): string[] {
  const synopsis = [`portico ${name}`, ...(options.length > 0 ? ['[options]'] : []), ...takes]
  return [
    `.SS ${argument(synopsis.join(' '))}`,
    `${text(sentence)}.`,
    ...options.flatMap(option),
    ...(examples === '' ? [] : ['.PP', ...listing(examples)]),
  ]
}

function option({ names, value, sentence, choices }: OptionWords): string[] {
  const known = choices.length === 0 ? '' : ` (${choices.join(', ')})`
  const taken = value === '' ? '' : ` \\fI${text(value)}\\fR`
  return ['.TP', `\\fB${text(names.join(', '))}\\fR${taken}`, text(`${sentence}${known}`)]
}

/** As it stands, without filling. */
function listing(examples: string): string[] {
  return ['.nf', ...examples.split('\n').map(text), '.fi']
}

/** A leading dot or quote would be a request; a backslash begins an escape; a hyphen is no minus. */
function text(line: string): string {
  const escaped = line
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('’', '\\(cq')
    .replaceAll('…', '...')
    .replaceAll('·', '\\(pc')
    .replaceAll('→', '\\->')
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped
}

function argument(words: string): string {
  return `"${text(words).replaceAll('"', '\\(dq')}"`
}

function lower(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1).replace(/\.$/, '')
}
