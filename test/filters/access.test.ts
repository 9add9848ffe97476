/** Who is let in by address: a table, then the filter itself. */
import { expect, test } from 'vitest'
import { access, judge } from '../../src/filters/access.ts'
import { says } from '../gateways/http1/handlers.ts'
import { ask } from '../handlers/ask.ts'
import { serve } from '../handlers/serve.ts'
import { filterHost } from './filter-host.ts'

const ALL = ['all']

test.each<[string, string[], string[], string[], string[]]>([
  [
    'a list of those who are',
    ['10.0.0.0/8', '::1/128'],
    [],
    ['10.1.2.3', '::1'],
    ['11.0.0.1', '::2', ''],
  ],
  ['a list of those who are not', [], ['10.0.0.0/8'], ['11.0.0.1', '::1', ''], ['10.255.0.1']],
  [
    'the most specific decides',
    ['10.1.0.0/16'],
    ['10.0.0.0/8', '10.1.2.3/32'],
    ['10.1.9.9'],
    ['10.1.2.3', '10.2.0.1', '192.0.2.1'],
  ],
  ['of equal ones deny', ['10.0.0.0/8'], ['10.0.0.0/8'], [], ['10.0.0.1']],
  [
    'all but some',
    ALL,
    ['2001:db8::/32', 'unix'],
    ['192.0.2.1', '2001:db9::1'],
    ['2001:db8::1', ''],
  ],
  ['some of all', ['unix', 'fe80::/10'], ALL, ['fe80::1%eth0', ''], ['192.0.2.1', '2001:db8::1']],
  [
    'an IPv4 address, however it is spelled',
    ALL,
    ['192.0.2.0/24'],
    ['::ffff:198.51.100.1'],
    ['192.0.2.1', '::ffff:192.0.2.1', '::ffff:c000:201', '0:0:0:0:0:ffff:c000:201'],
  ],
])('%s', (_, allow, deny, admitted, refused) => {
  const admits = judge({ allow, deny })
  for (const address of [...admitted, ...admitted])
    expect([address, admits(address)]).toEqual([address, true])
  for (const address of [...refused, ...refused])
    expect([address, admits(address)]).toEqual([address, false])
})

test('memory is bounded', () => {
  const admits = judge({ allow: ['10.0.0.0/9'], deny: [] })
  for (let i = 0; i < 20_000; i++) expect(admits(`10.${i >> 8}.${i & 255}.1`)).toBe(i >> 8 < 128)
})

test('a refused visitor gets 403', async () => {
  for (const [deny, status] of [
    [['127.0.0.0/8'], 403],
    [['10.0.0.0/8'], 200],
  ] as const) {
    const served = await serve(access({ allow: [], deny }, says('in'), filterHost()))
    expect((await ask(served.port, '/')).status).toBe(status)
    served.close()
  }
})
