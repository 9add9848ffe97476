/** What the log says of servers that nobody can connect to. */
import { expect, test } from 'vitest'
import { Target } from '../../src/balance/target.ts'
import { PorticoError } from '../../src/errors.ts'
import { clock } from '../../src/request/clock.ts'
import type { TargetPlan } from '../../src/site/plan.ts'

const PLAN: TargetPlan = {
  name: '10.0.0.1:80',
  scheme: 'http',
  address: { kind: 'tcp', host: '10.0.0.1', port: 80 },
  weight: 1,
  backup: false,
  down: false,
  maxConnections: 0,
}

test('it hears of one once a minute, and of TLS from TLS alone', () => {
  const said: string[] = []
  const common = { inNeed: false, complain: (line: string) => void said.push(line) }
  const cells = new Int32Array(new SharedArrayBuffer(16 * 4))
  const target = new Target(PLAN, null, cells, common)
  const refused = new PorticoError('BACKEND_REFUSED', '10.0.0.1:80 ECONNREFUSED')
  target.rest(new PorticoError('BACKEND_TLS', 'a strange name'))
  target.rest(refused)
  target.rest(refused)
  expect(target.rests).toBe(true)
  expect(said).toEqual(['the backend refused the connection: 10.0.0.1:80 ECONNREFUSED'])
  const { now } = clock
  try {
    clock.now = now + 60_001
    target.rest(refused)
  } finally {
    clock.now = now
  }
  expect(said.length).toBe(2)
})
