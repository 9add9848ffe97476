import { expect, it } from 'vitest'
import { folderWith, load } from './here.ts'

const SITE = `
listen: [":8080", { on: "tcp://:3306", pool: plain }]
routes: { /: { proxy: both } }
pools:
  plain:
    servers: ["127.0.0.1:1"]
    retry: {}
    slow-start: 10s
    hedge: {}
  both: { servers: ["127.0.0.1:1"], retry: {} }
`

it('what is for requests is told of where only connections come', async () => {
  const { warnings } = await load(folderWith({ 'site.yaml': SITE }))
  expect(warnings.map(({ line, message }) => `${line}: ${message}`)).toEqual([
    '7: "retry" is for requests over HTTP, and no route leads to this pool',
    '9: "hedge" is for requests over HTTP, and no route leads to this pool',
  ])
})
