/**
 * Everything that configures a uWSGI, in the order in which it counts: variables `UWSGI_…`, the command
 * line, files and what they include, blocks, placeholders. What comes out is what
 * `uwsgi --show-config` prints.
 */
import { readFileSync, statSync } from 'node:fs'
import { extname, resolve } from 'node:path'
import type { Report } from '../../site/report.ts'
import type { Place, Source } from '../../site/tree.ts'
import { type Ini, parseIni } from './ini.ts'
import { type Copies, ENDS, LOGIC } from './logic.ts'
import { type Machine, magicOf, replaceMagic } from './magic.ts'
import type { Option } from './option.ts'
import {
  type Environment,
  replaceFiles,
  replacePlaceholders,
  replaceVariables,
} from './placeholders.ts'
import { parseStructured } from './structured.ts'

/** Bounds what a file, and what loops and includes, may come to. */
const LARGEST = 1024 * 1024
const MOST_FILES = 200
const MOST_OPTIONS = 20_000
const LONGEST_VALUE = 65_536

/** XML is among them so that it is refused, and not left out. */
const FILES = new Set('ini yaml yml json js config include xml xmlconfig'.split(' '))
const PLACEHOLDERS = new Set(['set-placeholder', 'set-ph'])
const CUSTOM = new Set(['declare-option', 'declare-option2'])
/** Set by uWSGI itself for its own children. */
const NOT_OPTIONS = /^UWSGI_(RELOADS|VASSALS_DIR|EMPEROR_|JAILED|ORIGINAL_PROC_NAME|.*_FD$)/

export interface Effective {
  readonly options: readonly Option[]
  /** Names that some value refers to: `%(project)`. */
  readonly referred: ReadonlySet<string>
  /** Names that were made by `set-placeholder` or `declare-option`. */
  readonly declared: ReadonlySet<string>
  /** Every file that was read. */
  readonly sources: readonly string[]
}

export class Reader {
  readonly #options: Option[] = []
  readonly #referred = new Set<string>()
  readonly #declared = new Set<string>()
  readonly #custom = new Map<string, string>()
  readonly #sources: string[] = []
  readonly #inherited: Option[] = []
  readonly #machine: Machine
  readonly #environment: Environment
  readonly #report: Report
  #block: { readonly rule: string; readonly data: string } | null = null
  #depth = 0

  constructor(machine: Machine, environment: Environment, report: Report) {
    this.#machine = machine
    this.#environment = environment
    this.#report = report
  }

  /** `UWSGI_PROCESSES=4` is `processes = 4`. */
  addEnvironment(): void {
    const source: Source = { file: 'environment', text: '', base: this.#machine.cwd }
    for (const [name, value] of Object.entries(this.#environment)) {
      if (!name.startsWith('UWSGI_') || NOT_OPTIONS.test(name) || value === undefined) continue
      const option = name.slice('UWSGI_'.length).toLowerCase().replaceAll('_', '-')
      this.add({ name: option, value, place: { source, offset: -1 } })
    }
  }

  /** `file` may name its section: `app.ini:production`. */
  addFile(file: string, from: Place): void {
    this.#read(file, from)
  }

  add(option: Option): void {
    if (this.#options.length > MOST_OPTIONS) return
    if (ENDS.has(option.name)) this.#block = null
    else if (this.#block !== null) return this.#addInBlock(option, this.#block)
    this.#take(option)
  }

  finish(): Effective {
    const values = new Map<string, string>()
    for (const { name, value } of this.#options) if (!values.has(name)) values.set(name, value)
    const lookup = (name: string): string | undefined => {
      this.#referred.add(name)
      return values.get(name)
    }
    const first = new Set<string>()
    const options = this.#options.map((option) => {
      const value = this.#replace(option, lookup)
      if (!first.has(option.name)) values.set(option.name, value)
      first.add(option.name)
      return { ...option, value }
    })
    // As uWSGI does it: when these are read, placeholders have been replaced already.
    const before = this.#options.length
    for (const option of this.#inherited.splice(0)) this.#read(option.value, option.place)
    return {
      options: [...options, ...this.#options.slice(before)],
      referred: this.#referred,
      declared: this.#declared,
      sources: this.#sources,
    }
  }

  #replace(option: Option, lookup: (name: string) => string | undefined): string {
    try {
      const replaced = replacePlaceholders(option.value, lookup)
      const value = replaceFiles(replaceVariables(replaced, this.#environment), this.#machine.cwd)
      if (value.length <= LONGEST_VALUE) return value
      this.#report.problem(option.place, [option.name], 'its value grows beyond all bounds')
    } catch (error) {
      this.#report.problem(option.place, [option.name], messageOf(error))
    }
    return ''
  }

  #addInBlock(option: Option, block: { rule: string; data: string }): void {
    if (option.name === 'else') {
      this.#report.problem(option.place, ['else'], 'uWSGI 2.0 has no else', {
        expected: 'endif, and a block with the opposite condition',
      })
      return
    }
    let copies: Copies
    try {
      copies = LOGIC[block.rule]!(block.data, {
        cwd: this.#machine.cwd,
        host: this.#machine.host,
        environment: this.#environment,
        lookup: (name) => this.#options.find((each) => each.name === name)?.value,
      })
    } catch (error) {
      this.#report.problem(option.place, [block.rule], messageOf(error))
      return
    }
    if (copies.length > 0 && Object.hasOwn(LOGIC, option.name)) {
      this.#report.problem(option.place, [option.name], 'uWSGI has no blocks in blocks', {
        expected: `endif or endfor for ${block.rule} before it`,
      })
      return
    }
    for (const copy of copies) {
      const value = copy === undefined ? option.value : option.value.replaceAll('%(_)', copy)
      this.#take({ ...option, value })
    }
  }

  /** An option that counts: what acts at once does. */
  #take(option: Option): void {
    const { name, value, place } = option
    if (this.#options.length > MOST_OPTIONS) return
    if (this.#options.length === MOST_OPTIONS) {
      this.#report.problem(place, [name], `more than ${MOST_OPTIONS} options`)
    }
    this.#options.push(option)
    if (Object.hasOwn(LOGIC, name)) this.#block = { rule: name, data: value }
    else if (FILES.has(name)) this.#read(value, place)
    else if (name === 'inherit') this.#inherited.push(option)
    else if (name === 'set' || PLACEHOLDERS.has(name)) {
      const equals = value.indexOf('=')
      if (equals < 1) {
        this.#report.problem(place, [name], 'no value', { expected: `${name} = name=value` })
        return
      }
      const made = value.slice(0, equals)
      if (name !== 'set') this.#declared.add(made)
      this.#take({ name: made, value: value.slice(equals + 1), place })
    } else if (CUSTOM.has(name)) {
      const equals = value.indexOf('=')
      this.#custom.set(value.slice(0, equals), value.slice(equals + 1))
      this.#declared.add(value.slice(0, equals))
    } else if (this.#custom.has(name)) this.#addCustom(option)
  }

  /** An option that the file itself declares: `$1` … `$9` are the words of its value. */
  #addCustom({ name, value, place }: Option): void {
    if (++this.#depth > 16) {
      this.#report.problem(place, [name], 'an option that is made of itself')
    } else {
      const words = value === '' ? [''] : value.split(' ').filter((word) => word !== '')
      for (const part of (this.#custom.get(name) ?? '').split(';')) {
        const equals = part.indexOf('=')
        if (equals < 1) continue
        const fill = (text: string): string =>
          text.replace(/\$([1-9])/g, (whole, digit: string) => words[Number(digit) - 1] ?? whole)
        this.#take({
          name: fill(part.slice(0, equals)),
          value: fill(part.slice(equals + 1)),
          place,
        })
      }
    }
    this.#depth--
  }

  #read(named: string, from: Place): void {
    const { cwd } = this.#machine
    const { file, section } = splitSection(named, resolve(cwd, named))
    const path = resolve(cwd, file)
    if (this.#sources.length >= MOST_FILES) {
      this.#report.problem(from, [], `more than ${MOST_FILES} files: a file that includes itself?`)
      return
    }
    let text: string
    let inode: number
    try {
      const stats = statSync(path)
      const { size, ino } = stats
      inode = ino
      if (!stats.isFile()) throw new Error('it is no file')
      if (size > LARGEST) throw new Error(`${size} bytes are too many for a configuration`)
      text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path))
    } catch (error) {
      this.#report.problem(from, [], `cannot read ${path}: ${messageOf(error)}`)
      return
    }
    this.#sources.push(path)
    const source: Source = { file: path, text, base: cwd }
    const replaced = replaceMagic(text, magicOf(file, section, inode, this.#machine))
    const wanted = section === '' ? 'uwsgi' : section
    const ini = this.#parse(path, replaced.text, wanted, { source, offset: 0 })
    if (ini === null) return
    if (!ini.sections.includes(wanted)) {
      this.#report.problem({ source, offset: -1 }, [], `no section [${wanted}] in ${path}`, {
        expected:
          ini.sections
            .slice(0, 10)
            .map((name) => `[${name}]`)
            .join(' ') || `[${wanted}]`,
      })
    }
    this.#block = null
    for (const { key, value, at } of ini.lines) {
      this.add({ name: key, value, place: { source, offset: replaced.at[at] ?? 0 } })
    }
  }

  #parse(path: string, text: string, section: string, place: Place): Ini | null {
    try {
      if (/^\.(ya?ml|json|js)$/.test(extname(path))) return parseStructured(text, section)
      if (extname(path) === '.xml' || /^\s*<[?!u]/.test(text)) {
        throw new Error('XML is not read; write the same as INI: one `option = value` a line')
      }
      return parseIni(text, section)
    } catch (error) {
      this.#report.problem(place, [], messageOf(error))
      return null
    }
  }
}

/** A colon in the name of a file that is there is no section. */
export function splitSection(named: string, path: string): { file: string; section: string } {
  const colon = named.lastIndexOf(':')
  const isFile = statSync(path, { throwIfNoEntry: false })?.isFile() === true
  if (colon < 1 || isFile) return { file: named, section: '' }
  return { file: named.slice(0, colon), section: named.slice(colon + 1) }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
