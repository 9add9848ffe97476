import { expect, test } from 'vitest'
import { createLogger } from '../../src/supervisor/logger.ts'

function written(message: string, colours = false): string {
  let text = ''
  const sink = { write: (piece: string) => (text += piece) }
  createLogger(sink, { format: 'text', colours, level: 'info' }).error(message, { app: 'shop' })
  // Without the time of day.
  return text.replace(/\d\d:\d\d:\d\d/, 'now')
}

test('on a terminal, facts end the first line, and other lines are indented', () => {
  expect(written('it failed')).toBe('now error it failed  app=shop\n')
  expect(written('it failed:\n  line 1\nnot today\n')).toBe(
    'now error it failed:  app=shop\n      line 1\n    not today\n',
  )
  expect(written('one\ntwo', true)).toBe(
    '\x1b[2mnow\x1b[0m \x1b[31merror one\x1b[0m\x1b[2m  app=shop\x1b[0m\n\x1b[31m    two\x1b[0m\n',
  )
})

test('what applications log cannot command the terminal', () => {
  expect(written('a\x1b[2Jb\rc\x00')).toBe('now error a\uFFFD[2Jb\uFFFDc\uFFFD  app=shop\n')
})
