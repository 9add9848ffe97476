/** Whatever a site file holds: a Plan, or problems; never anything else. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { drawPlan } from '../../src/site/draw.ts'
import { SiteError, sortProblems } from '../../src/site/problem.ts'
import { readYaml } from '../../src/site/read-yaml.ts'
import { jsonSchema } from '../../src/site/reference.ts'
import { Report, TreeReport } from '../../src/site/report.ts'
import { type Node, treeOf } from '../../src/site/tree.ts'
import { validate } from '../../src/site/validate.ts'

const SOURCE = { file: '/site.yaml', text: '', base: '/' }
const ENVIRONMENT = { SET: 'value', PORT: '1' }

/** The whole of loading, without the files. */
function judge(root: Node, report: Report): void {
  const { settings, broken } = validate(root, report)
  const tree = new TreeReport(report, root, broken)
  const drawing = { settings, root, report: tree, environment: ENVIRONMENT }
  const plan = drawPlan(drawing, { file: '', sources: [], identity: '/', watch: false })
  const sorted = sortProblems(report.problems)
  expect(new SiteError(sorted).message.length > 0).toBe(sorted.length > 0)
  if (broken.length > 0) expect(sorted.length).toBeGreaterThan(0)
  if (sorted.length > 0) return
  expect(plan.listeners.length).toBeGreaterThan(0)
  expect(plan.hosts.length).toBeGreaterThan(0)
  expect(JSON.parse(JSON.stringify(plan))).toEqual(plan)
}

function judgeText(text: string): void {
  const report = new Report()
  const root = readYaml({ ...SOURCE, text }, ENVIRONMENT, report)
  if (root === undefined) expect(report.problems.length).toBeGreaterThan(0)
  else judge(root, report)
}

/** Every key that the schema knows, wherever. */
const KEYS = [...JSON.stringify(jsonSchema()).matchAll(/"([a-z-]+)":\{/g)].map(
  ([, key = '']) => key,
)

const scalars = fc.oneof(
  fc.constantFrom('10.0.0.1:80', ':8080', 'auto', '5s', '10MB', '/', '/x/', '~^/(a)', 'shop', '*'),
  fc.constantFrom(
    'http://unix:/x',
    '[::1]:80',
    '',
    '$path',
    `\${SET}`,
    `\${UNSET}`,
    'json',
    'shop:app',
  ),
  fc.string(),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
)
const keys = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...new Set(KEYS)) },
  {
    weight: 3,
    arbitrary: fc.constantFrom('/', '/a', '~x', '*', 'www.example.com', 'shop', '__proto__'),
  },
  fc.string({ maxLength: 6 }),
)
const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    scalars,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(keys, tie('value'), { maxKeys: 6 }),
  ),
})).value
/** Nearer to a site: handlers under routes, applications and pools under names. */
const handler = fc.dictionary(
  fc.constantFrom('files', 'app', 'proxy', 'redirect', 'respond', 'status', 'body'),
  values,
  { minKeys: 1, maxKeys: 3 },
)
const sites = fc.record(
  {
    listen: values,
    routes: fc.oneof(values, fc.dictionary(keys, handler, { maxKeys: 4 })),
    hosts: fc.oneof(
      values,
      fc.dictionary(keys, fc.dictionary(keys, handler, { maxKeys: 3 }), { maxKeys: 3 }),
    ),
    apps: fc.oneof(values, fc.dictionary(keys, fc.dictionary(keys, values), { maxKeys: 3 })),
    pools: fc.oneof(values, fc.dictionary(keys, fc.record({ servers: values }), { maxKeys: 3 })),
    limits: values,
    timeouts: values,
    log: values,
    threads: values,
    server: values,
    include: values,
  },
  { requiredKeys: [] },
)

describe('any site', () => {
  it('as a value', () => {
    fc.assert(
      fc.property(fc.oneof(sites, values), (value) => {
        judge(treeOf(value, SOURCE), new Report())
      }),
      { numRuns: 1500 },
    )
  }, 60_000)

  it('of anything that a program can make', () => {
    fc.assert(
      fc.property(
        fc.anything({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withNullPrototype: true,
          withObjectString: true,
          withSet: true,
          withSparseArray: true,
          withTypedArray: true,
        }),
        (value) => {
          judge(treeOf({ routes: value, apps: value, listen: value }, SOURCE), new Report())
        },
      ),
      { numRuns: 300 },
    )
  })

  it('as YAML', () => {
    fc.assert(
      fc.property(fc.oneof(sites, values), (value) => judgeText(stringify(value))),
      { numRuns: 500 },
    )
  }, 60_000)

  it('with pieces of YAML anywhere', () => {
    const pieces = fc.constantFrom(
      '\n',
      '  ',
      '- ',
      ': ',
      '{',
      '}',
      '[',
      ']',
      '&a ',
      '*a',
      '!!x ',
      '"',
      "'",
      '|',
      '>',
      '#',
      '---',
      '%',
      '\t',
      '<<',
      '$',
      '${',
      '}',
      '\\',
      '\r\n',
      '\ufeff',
      'routes',
      'listen',
      'apps',
      '/',
      'respond',
      'x',
    )
    fc.assert(
      fc.property(
        fc.array(fc.oneof(pieces, pieces, fc.string({ maxLength: 4 })), { maxLength: 40 }),
        (parts) => judgeText(parts.join('')),
      ),
      { numRuns: 1500 },
    )
  }, 60_000)
})
