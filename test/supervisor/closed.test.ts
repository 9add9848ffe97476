/** What is closed for maintenance after somebody has said so. */
import { describe, expect, test } from 'vitest'
import { changeClosed } from '../../src/supervisor/closed.ts'

const HOSTS = ['www.example.com', '*', '*.example.org']

describe('closing and opening', () => {
  test.each<[string[], boolean, string, string[]]>([
    [[], true, '', ['']],
    [['*'], true, '', ['']],
    [[''], false, '', []],
    [['*'], false, '', []],
    [[], true, '*', ['*']],
    [['*'], true, '*', ['*']],
    [['*'], true, 'www.example.com', ['*', 'www.example.com']],
    [['*', 'www.example.com'], false, '*', ['www.example.com']],
    [[], false, '*', []],
    [[''], true, '*', ['']],
  ])('%j, %j for %j: %j', (closed, on, host, after) => {
    expect(changeClosed(closed, on, host, HOSTS)).toEqual({ ok: true, message: '', closed: after })
  })

  test('a host that is not there, and one of a site that is closed as a whole', () => {
    expect(changeClosed(['*'], true, 'www.exmaple.com', HOSTS)).toEqual({
      ok: false,
      message: 'there is no host www.exmaple.com; did you mean www.example.com?',
      closed: ['*'],
    })
    expect(changeClosed([''], false, '*', HOSTS)).toMatchObject({ ok: false, closed: [''] })
  })
})
