import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseCron } from '../../src/background/cron-expression.ts'
import { noDeclares, readDeclares } from '../../src/background/declares.ts'

const LIBRARY = new URL('../../src/runtimes/python', import.meta.url).pathname

/** What Portico would be told of this code. */
function declared(code: string): unknown {
  const program = `import json, sys
sys.path.insert(0, ${JSON.stringify(LIBRARY)})
import portico
from portico import schedule
${code}
json.dump(schedule.declares(), sys.stdout)
`
  const out = execFileSync('/usr/bin/python3', ['-c', program], {
    encoding: 'utf8',
    cwd: '/tmp',
    stdio: 'pipe',
  })
  return JSON.parse(out)
}

describe('decorators', () => {
  it('tell what they declare, and leave functions as they are', () => {
    const told = declared(`
@portico.cron("30 2 * * mon", zone="Europe/Berlin", missed="once", jitter=60, overlap="queue", timeout=2.5)
def a(): return 7
assert a() == 7
@portico.timer(0.25, times=3)
def b(): pass
@portico.timer(1)
@portico.timer(2, name="other")
def c(): pass
@portico.filewatch("conf", "/etc/*.conf", settle=1)
def d(): pass
@portico.on_signal("sold")
def e(name): pass
@portico.mule(count=2)
def f(): pass
@portico.mule
def g(): pass
`)
    expect(readDeclares(told, 'shop')).toEqual({
      cron: [
        {
          name: '__main__:a',
          action: {
            kind: 'call',
            app: 'shop',
            target: 'cron __main__:a',
            declared: true,
            argument: '',
          },
          at: '30 2 * * mon',
          zone: 'Europe/Berlin',
          missed: 'once',
          jitterMs: 60_000,
          overlap: 'queue',
          timeoutMs: 2_500,
        },
      ],
      timers: [
        expect.objectContaining({ name: '__main__:b', everyMs: 250, times: 3 }),
        expect.objectContaining({ name: 'other', everyMs: 2_000 }),
        expect.objectContaining({ name: '__main__:c', everyMs: 1_000 }),
      ],
      watch: [expect.objectContaining({ files: ['/tmp/conf', '/etc/*.conf'], settleMs: 1_000 })],
      signals: [expect.objectContaining({ signal: 'sold' })],
      mules: [
        { key: 'mules __main__:f', name: '__main__:f' },
        { key: 'mules __main__:f-2', name: '__main__:f' },
        { key: 'mules __main__:g', name: '__main__:g' },
      ],
      problems: [],
    })
  })

  it.each([
    ['59, 2, -1, -1, -1', '59 2 * * *'],
    ['-5, -1, -1, -1, -1', '0-59/5 * * * *'],
    ['0, -2, -2, -3, -1', '0 0-23/2 2-31/2 3-12/3 *'],
    ['0, 0, -1, -1, 6', '0 0 * * 6'],
  ])("take uWSGI's numbers: %s", (numbers, at) => {
    const told = declared(`portico.cron(${numbers})(print)`)
    expect(readDeclares(told, 'shop').cron[0]?.at).toBe(at)
    expect(() => parseCron(at)).not.toThrow()
  })

  it.each(['portico.cron(1, 2)', 'portico.cron(5)', 'portico.cron("a", "b", "c", "d", "e")'])(
    '%s is refused where it stands',
    (code) => {
      expect(() => declared(`${code}(print)`)).toThrow('TypeError')
    },
  )
})

describe('what an application declares', () => {
  it('is judged one by one', () => {
    const task = { name: 'x', key: 'k', at: '@daily' }
    const { cron, problems } = readDeclares(
      {
        cron: [
          task,
          { ...task, at: '61 * * * *' },
          { ...task, zone: 'Mars/Olympus' },
          { ...task, overlap: 'maybe' },
          { ...task, timeout: -1 },
          { ...task, name: 'two\nlines' },
          7,
        ],
        timers: 'no list',
        watch: [{ name: 'w', key: 'k', files: ['relative'] }],
      },
      'shop',
    )
    expect(cron).toHaveLength(1)
    expect(problems).toEqual([
      expect.stringContaining('cron x: minute'),
      expect.stringContaining('no such time zone'),
      expect.stringContaining('overlap'),
      expect.stringContaining('timeout'),
      expect.stringContaining('no line of text'),
      expect.stringContaining('not a mapping'),
      expect.stringContaining('timers: no list'),
      expect.stringContaining('absolute'),
    ])
  })

  it('never upsets us, whatever it is', () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom('@daily', 'skip', '/a', 'x'),
      fc.integer(),
    )
    const keys = fc.constantFrom(
      ...'name key at zone overlap timeout files every times jitter missed signal settle'.split(
        ' ',
      ),
    )
    const entry = fc.dictionary(keys, value)
    const kinds = fc.constantFrom('cron', 'timers', 'watch', 'signals', 'mules', 'jobs')
    const whole = fc.oneof(fc.jsonValue(), fc.dictionary(kinds, fc.oneof(fc.array(entry), value)))
    fc.assert(
      fc.property(whole, (told) => {
        const declares = readDeclares(told, 'shop')
        for (const { at } of declares.cron) parseCron(at)
      }),
    )
    expect(readDeclares(undefined, 'shop')).toBe(noDeclares)
  })
})
