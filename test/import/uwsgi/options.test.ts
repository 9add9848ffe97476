/** The table of options against the real binary, and what the command line makes of words. */

import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { ArgumentError, parseArguments } from '../../../src/import/uwsgi/arguments.ts'
import { OPTIONS } from '../../../src/import/uwsgi/option-names.ts'
import { RULES, TABLE } from '../../../src/import/uwsgi/rules.ts'

function helpOf(...plugins: string[]): string[] {
  const { stdout } = spawnSync('uwsgi', ['--plugins', plugins.join(','), '--help'], {
    encoding: 'utf8',
    timeout: 10_000,
    killSignal: 'SIGKILL',
  })
  return [...stdout.matchAll(/^ *(?:-\w\|)?--([\w-]+)/gm)].map(([, name]) => name!)
}

describe('the table of options', () => {
  it('has every option of the binary, and of its plugins', () => {
    const known = helpOf('python3', 'http', 'cgi', 'cheaper_busyness', 'carbon')
    expect(known.length).toBeGreaterThan(850)
    expect(known.filter((name) => !OPTIONS.has(name))).toEqual([])
  })

  it('says of every option what becomes of it, once', () => {
    expect([...OPTIONS.keys()].filter((name) => !RULES.has(name))).toEqual([])
    expect([...RULES.keys()].filter((name) => !OPTIONS.has(name))).toEqual([])
    const words = TABLE.flatMap(([names]) => names.trim().split(' '))
    expect(words.filter((word, index) => words.indexOf(word) !== index)).toEqual([])
  })

  it('has a reason or a place for each', () => {
    for (const [, rule] of TABLE) expect(rule.text.length).toBeGreaterThan(2)
  })
})

describe('the command line', () => {
  const parse = (text: string): string[] =>
    parseArguments(text.split(' ')).map(({ name, value }) => `${name}=${value}`)

  it.each([
    [
      '--http :8080 --wsgi-file app.py --master -p 4',
      'http=:8080 wsgi-file=app.py master= processes=4',
    ],
    ['--http=:8080 --processes=4', 'http=:8080 processes=4'],
    ['-Mp4 -C660', 'master= processes=4 chmod-socket=660'],
    ['-C --vacuum', 'chmod-socket= vacuum='],
    ['app.ini', 'ini=app.ini'],
    ['conf.yaml:web -s /run/a.sock', 'yaml=conf.yaml:web socket=/run/a.sock'],
    ['--wsgi-f x.py', 'wsgi-file=x.py'],
    ['-- app.py', 'wsgi-file=app.py'],
  ])('%s', (line, expected) => {
    expect(parse(line).join(' ')).toBe(expected)
  })

  it.each([
    ['--procceses 4', /did you mean --processes\?/],
    ['--processes', /needs a value/],
    ['--master=1', /takes no value/],
    ['--cheaper-bus 3', /may be/],
    ['-9', /no option -9/],
    ['whatever', /neither an option nor a file/],
  ])('%s is refused', (line, reason) => {
    expect(() => parse(line)).toThrow(ArgumentError)
    expect(() => parse(line)).toThrow(reason)
  })
})
