/** What php-fpm writes, as it wrote it. */
import { expect, test } from 'vitest'
import { readFpm, readPhp } from '../../../src/runtimes/php/log.ts'

const AT = '[21-Nov-2026 11:45:13]'

test.each([
  [
    `${AT} NOTICE: fpm is running, pid 7`,
    { type: 'log', level: 'debug', message: 'fpm is running, pid 7', pid: 0 },
  ],
  [
    `${AT} WARNING: [pool app] child 12 said into stderr: "NOTICE: PHP message: PHP Fatal error:  Uncaught Exception: a "b""`,
    {
      type: 'log',
      level: 'error',
      message: 'PHP Fatal error:  Uncaught Exception: a "b"',
      pid: 12,
    },
  ],
  [
    `${AT} WARNING: [pool app] child 12 said into stderr: "NOTICE: PHP message: PHP Warning:  Undefined"`,
    { type: 'log', level: 'warn', message: 'PHP Warning:  Undefined', pid: 12 },
  ],
  [
    `${AT} WARNING: [pool app] child 12 said into stderr: "plain"`,
    { type: 'log', level: 'info', message: 'plain', pid: 12 },
  ],
  [
    `${AT} WARNING: [pool app] child 12, script '/srv/a.php' (request: "GET /a.php?b="c") executing too slow (2.5 sec), logging`,
    { type: 'slow', pid: 12, request: 'GET /a.php?b="c', elapsedMs: 2500 },
  ],
  [`${AT} NOTICE: finished trace of 12`, { type: 'traced', pid: 12 }],
  [
    `${AT} WARNING: [pool app] child 12 exited on signal 9 (SIGKILL) after 3.5 seconds from start`,
    { type: 'died', pid: 12, how: 'SIGKILL', expected: false },
  ],
  [
    `${AT} WARNING: [pool app] child 12 exited on signal 11 (SIGSEGV - core dumped) after 3.5 seconds from start`,
    { type: 'died', pid: 12, how: 'SIGSEGV', expected: false },
  ],
  [
    `${AT} WARNING: [pool app] child 12 exited with code 255 after 3.5 seconds from start`,
    { type: 'died', pid: 12, how: 'exit code 255', expected: false },
  ],
  [
    `${AT} NOTICE: [pool app] child 12 exited with code 0 after 3.5 seconds from start`,
    { type: 'died', pid: 12, how: 'exit code 0', expected: true },
  ],
  [
    `${AT} ERROR: [pool app] failed to open`,
    { type: 'log', level: 'error', message: 'failed to open', pid: 0 },
  ],
  ['no time at all', { type: 'log', level: 'info', message: 'no time at all', pid: 0 }],
])('%s', (line, news) => {
  expect(readFpm(line)).toEqual(news)
})

test('a worker cannot pretend to be php-fpm', () => {
  const forged = `${AT} NOTICE: finished trace of 12`
  const line = `${AT} WARNING: [pool app] child 9 said into stderr: "${forged}"`
  expect(readFpm(line)).toMatchObject({ type: 'log', pid: 9, message: forged })
})

test('lines of php-cgi', () => {
  expect(readPhp('PHP Parse error:  syntax error', 3)).toMatchObject({ level: 'error', pid: 3 })
})
