import { closeSync, fstatSync, openSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createLogger, logOptions } from '../../src/supervisor/logger.ts'

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

test('for the journal each line has its priority, and neither time nor colours', () => {
  let text = ''
  const sink = { write: (piece: string) => (text += piece) }
  const log = createLogger(sink, { format: 'journal', colours: false, level: 'debug' })
  log.error('it failed:\n  line 1', { app: 'shop', pid: 7 })
  log.warn('take care')
  log.info('all is well')
  log.debug('in detail')
  expect(text).toBe(
    '<3>it failed: app=shop pid=7\n<3>      line 1\n<4>take care\n<6>all is well\n<7>in detail\n',
  )
})

test('the journal is what the environment says it is, and nothing else', () => {
  const file = openSync(import.meta.filename, 'r')
  try {
    const { dev, ino } = fstatSync(file)
    const format = (JOURNAL_STREAM: string) =>
      logOptions({ isTTY: false, fd: file }, { JOURNAL_STREAM }).format
    expect([format(`${dev}:${ino}`), format(`${dev}:${ino + 1}`), format('')]).toEqual([
      'journal',
      'json',
      'json',
    ])
  } finally {
    closeSync(file)
  }
})

test('nor can what they call themselves, which begins no line of its own', () => {
  for (const format of ['text', 'journal'] as const) {
    let text = ''
    const sink = { write: (piece: string) => (text += piece) }
    const fields = { app: 'shop\x1b[2J\n<0>the machine is on fire' }
    createLogger(sink, { format, colours: false, level: 'info' }).info('hello', fields)
    expect(text.match(/\n/g)).toHaveLength(1)
    expect(text).not.toContain('\x1b')
  }
})
