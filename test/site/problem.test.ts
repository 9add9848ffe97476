import { describe, expect, it } from 'vitest'
import { formatProblems, type Problem, SiteError, showPath } from '../../src/site/problem.ts'

function problem(change: Partial<Problem>): Problem {
  const nothing = { file: '/etc/site.yaml', line: 0, column: 0, path: [], message: 'wrong' }
  return { ...nothing, expected: '', nearest: '', excerpt: '', ...change }
}

describe('a problem', () => {
  it('is one line, and on a terminal three', () => {
    const one = problem({
      line: 12,
      column: 5,
      path: ['hosts', 'www.example.com', '/api/', 'proxi'],
      message: 'unknown key "proxi"',
      nearest: 'proxy',
      excerpt: '    proxi: backend',
    })
    const line =
      '/etc/site.yaml:12:5: hosts."www.example.com"."/api/".proxi: unknown key "proxi"; did you mean "proxy"?'
    expect(formatProblems([one])).toBe(line)
    expect(formatProblems([one], true)).toBe(`${line}\n        proxi: backend\n        ^`)
  })

  it('keeps the caret in place on long lines, after tabs, and lets no control character through', () => {
    const long = problem({
      line: 1,
      column: 1000,
      excerpt: `${'x'.repeat(999)}Y${'z'.repeat(999)}`,
    })
    const [, excerpt = '', caret = ''] = formatProblems([long], true).split('\n')
    expect(excerpt.length).toBeLessThan(130)
    expect(excerpt[caret.indexOf('^')]).toBe('Y')
    const odd = problem({ line: 1, column: 3, excerpt: '\t\x1bY' })
    expect(formatProblems([odd], true)).toMatch(/\n {6}Y\n {6}\^$/)
  })

  it('names keys so that they can be found', () => {
    expect(showPath(['listen', 1, 'on'])).toBe('listen[1].on')
    expect(showPath(['a', 'b c', 'd"e', 'f-g', ''])).toBe('a."b c"."d\\"e".f-g.""')
    expect(showPath([])).toBe('')
  })

  it('comes in the order of the file, once', () => {
    const problems = [
      problem({ line: 0, message: 'nowhere' }),
      problem({ line: 10, column: 2, message: 'c' }),
      problem({ line: 2, column: 30, message: 'b' }),
      problem({ line: 2, column: 4, message: 'a' }),
      problem({ line: 10, column: 2, message: 'c' }),
    ]
    expect(new SiteError(problems).problems.map((each) => each.message)).toEqual([
      'a',
      'b',
      'c',
      'nowhere',
    ])
  })
})
