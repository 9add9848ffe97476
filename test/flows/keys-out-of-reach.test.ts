/** Keys that cannot be fetched: each server thread asks for them, and people are told once. */
import { expect, test } from 'vitest'
import { closedPort } from '../transports/backends.ts'
import { Portico } from './support/portico.ts'

test('the log of a site with several threads says once that there are no keys', async () => {
  const gone = await closedPort()
  await using portico = await Portico.serve({
    'site.yaml': `
listen: "127.0.0.1:0"
threads: 4
log: { access: off }
routes:
  /: { respond: in, auth: { jwt: "http://127.0.0.1:${gone}/keys" } }
`,
  })
  await portico.logged(/no keys from/)
  await portico.run('status')
  expect(portico.log.filter(({ message }) => /no keys from/.test(message ?? '')).length).toBe(1)
})
