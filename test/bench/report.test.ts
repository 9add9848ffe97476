import { expect, test } from 'vitest'
import { markdownTable, type Outcome, plainTable, tableOf } from '../../bench/harness/report.ts'
import type { Row, Scenario } from '../../bench/harness/scenario.ts'
import { format, median, medians, percentile } from '../../bench/harness/statistics.ts'
import { judge } from '../../bench/harness/targets.ts'

function scenario(name: string): Scenario {
  return {
    name,
    title: 'A scenario.',
    columns: [
      { key: 'rate', title: 'requests/s', format: 'rate' },
      { key: 'p99', title: 'p99', format: 'micros' },
    ],
    reference: { rival: 'nginx + uWSGI', column: 'rate' },
    run: () => Promise.reject(new Error('not run here')),
  }
}

function outcome(
  name: string,
  ours: Record<string, number>,
  theirs: Record<string, number>,
): Outcome {
  const rows: Row[] = [
    { rival: 'Portico', values: ours, remarks: [] },
    { rival: 'nginx + uWSGI', values: theirs, remarks: [] },
    { rival: 'Granian', values: {}, remarks: ['install it'], absent: 'missing' },
  ]
  return { scenario: scenario(name), rows }
}

test('a table shows ratios, and keeps the line of a rival that is missing', () => {
  const table = tableOf(outcome('any', { rate: 50_000, p99: 812 }, { rate: 20_000, p99: 12_345 }))
  expect(table).toEqual([
    ['', 'requests/s', 'to nginx + uWSGI', 'p99'],
    ['Portico', '50,000', '2.50×', '812 µs'],
    ['nginx + uWSGI', '20,000', '1.00×', '12.3 ms'],
    ['Granian', 'missing', '–', '–'],
  ])
  expect(plainTable(table).split('\n')[1]).toBe(
    'Portico            50,000             2.50×   812 µs',
  )
  expect(markdownTable(table).split('\n')[1]).toBe(
    '| ------------- | ---------: | ---------------: | ------: |',
  )
})

test('a promise is met, missed, or not measured', () => {
  const hello = outcome('wsgi-hello-32', { rate: 50_000, cpu: 10 }, { rate: 20_000, cpu: 30 })
  const one = outcome('wsgi-hello-1', { rate: 5000 }, { rate: 6000 })
  const verdicts = judge([hello, one])
  const find = (text: string) => verdicts.find((verdict) => verdict.text.includes(text))
  expect(find('32 keep-alive connections')).toMatchObject({
    wanted: '≥ 2.50×',
    measured: '2.50×',
    byCpu: '3.00×',
    outcome: 'met',
  })
  expect(find('at 1 connection')).toMatchObject({ measured: '0.83×', outcome: 'missed' })
  expect(find('to Granian')).toMatchObject({ measured: '–', outcome: 'not measured' })
})

test('medians and percentiles', () => {
  expect(median([5, 1, 3])).toBe(3)
  expect(median([4, 1, 3, 2])).toBe(2.5)
  expect(() => median([])).toThrow(RangeError)
  expect(medians([{ a: 1, b: 9 }, { a: 3 }, { a: 2 }])).toEqual({ a: 2, b: 9 })
  expect(percentile([3, 1, 2], 0.99)).toBe(3)
  expect(percentile([], 0.5)).toBeNaN()
})

test('what was not measured is a dash', () => {
  expect(format(undefined, 'rate')).toBe('–')
  expect(format(Number.NaN, 'ratio')).toBe('–')
  expect(format(1_234_567.4, 'count')).toBe('1,234,567')
  expect(format(3 * 1024 * 1024, 'memory')).toBe('3.0 MiB')
})
