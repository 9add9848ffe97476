/** Our hashes against nginx's own: the same key goes to the same server, also when one is down. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SchedulePlan } from '../../src/site/plan.ts'
import { Nginx } from '../flows/support/peers.ts'
import { ask } from '../flows/support/visitor.ts'
import { make } from './all.ts'
import { backend, type Fake, first, key } from './conformance.ts'

const KEYS = 300

interface Setup {
  readonly title: string
  readonly options: Partial<SchedulePlan>
  readonly nginx: string
  readonly weights: readonly number[]
  /** Index of the one that is down. */
  readonly down?: number
  /** Servers are addresses and ports; else sockets. */
  readonly tcp?: true
}

const URI = [{ of: 'uri', name: '' }] as const
const SETUPS: readonly Setup[] = [
  { title: 'plain', options: { key: URI }, nginx: 'hash $request_uri', weights: [1, 1, 1] },
  { title: 'by weight', options: { key: URI }, nginx: 'hash $request_uri', weights: [5, 1, 3, 2] },
  {
    title: 'plain, one down',
    options: { key: URI },
    nginx: 'hash $request_uri',
    weights: [2, 1, 3],
    down: 0,
  },
  {
    title: 'consistent',
    options: { key: URI, consistent: true },
    nginx: 'hash $request_uri consistent',
    tcp: true,
    weights: [1, 1, 1, 1],
  },
  {
    title: 'consistent, by weight',
    options: { key: URI, consistent: true },
    nginx: 'hash $request_uri consistent',
    weights: [4, 1, 2],
  },
  {
    title: 'consistent, one down',
    options: { key: URI, consistent: true },
    nginx: 'hash $request_uri consistent',
    weights: [1, 2, 1],
    down: 1,
    tcp: true,
  },
  {
    title: 'of several parts',
    options: {
      key: [
        { of: 'host', name: '' },
        { of: 'header', name: 'x-user' },
        { of: 'query', name: 'q' },
        { of: 'cookie', name: 'c' },
      ],
    },
    nginx: 'hash $host$http_x_user$arg_q$cookie_c',
    weights: [1, 2, 1],
  },
]

let nginx: Nginx
let names: string[][]

beforeAll(async () => {
  nginx = await Nginx.serve((port) => {
    // Sockets in nginx's own folder and further addresses of this machine: no port of anybody else's.
    names = SETUPS.map(({ weights, tcp }, setup) =>
      weights.map((_, i) => (tcp ? `127.0.0.${i + 2}:${port}` : `unix:s${setup}-${i}.sock`)),
    )
    const upstreams = SETUPS.map(
      ({ nginx, weights, down }, setup) => `upstream pool${setup} { ${nginx};
        ${weights.map((weight, i) => `server ${names[setup]![i]} weight=${weight}${down === i ? ' down' : ''};`).join('\n')} }`,
    )
    const backends = [...new Set(names.flat())].map(
      (name) => `server { listen ${name}; location / { return 200 "${name}"; } }`,
    )
    const routes = SETUPS.map(
      (_, setup) =>
        `server { listen 127.0.0.1:${port}; server_name ~^${setup}\\.; location / { proxy_pass http://pool${setup}; } }`,
    )
    return [...upstreams, ...backends, ...routes].join('\n')
  })
})

afterAll(async () => {
  await nginx?.[Symbol.asyncDispose]()
})

describe.each(SETUPS.map((setup, index) => ({ ...setup, index })))(
  '$title',
  ({ options, weights, down, index }) => {
    it(`agrees with nginx on ${KEYS} keys`, async () => {
      const list: Fake[] = weights.map((weight, i) => ({
        ...backend(names[index]![i]!, weight),
        ready: i !== down,
      }))
      const scheduler = make('hash', options)
      const host = `${index}.test`
      const ours: string[] = []
      const theirs: string[] = []
      for (let i = 0; i < KEYS; i++) {
        const path = `/some/path/${i * 7919}?q=${i}`
        const fields = { Host: host, 'X-User': `u${i % 17}`, Cookie: `a=b; c=${i % 5}` }
        const block = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
        ours.push(first(scheduler, list, key(path, '127.0.0.1', block.join(''))))
        theirs.push((await ask(nginx.port, path, { fields })).text)
      }
      expect(ours).toEqual(theirs)
      expect(new Set(ours).size).toBe(weights.length - (down === undefined ? 0 : 1))
    })
  },
)
