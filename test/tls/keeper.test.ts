/** What the log says of certificates that are put in place of others while the site runs. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import type { Level } from '../../src/supervisor/logger.ts'
import { TlsKeeper } from '../../src/tls/keeper.ts'
import { expired, future, type Pair, pair } from './support/certificates.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-keeper-'))
const path = join(folder, 'www.pem')

let keeper: TlsKeeper | null = null
afterEach(() => {
  keeper?.close()
  rmSync(folder, { recursive: true })
})

it('those that are not valid are warned of, with names, date and remedy', async () => {
  const said: string[] = []
  const say = (level: Level) => (message: string) => said.push(`${level}: ${message}`)
  const logger = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') }
  keeper = new TlsKeeper(logger, () => {})
  const put = ({ cert, key }: Pair): void => writeFileSync(path, cert + key)
  const tls = {
    sets: { '': [{ cert: path, key: '', ocsp: '' }] },
    ticketFiles: [],
    ticketRotateMs: 60_000,
    redirectPort: 0,
    hsts: null,
  }
  const site = { tls, listeners: [] }
  put(pair({ names: ['www.example'] }))
  keeper.use(site, keeper.load(site))
  const next = async (made: Pair): Promise<string[]> => {
    said.length = 0
    put(made)
    await expect.poll(() => said.length, { timeout: 5_000 }).toBeGreaterThan(0)
    return said
  }
  expect(await next(await expired('old.example'))).toEqual([
    `warn: certificate ${path} for old.example has expired on 2020-02-01T00:00:00.000Z: browsers turn back, and it is served all the same; renew it, or put a valid one in its place`,
  ])
  expect(await next(await future('new.example'))).toEqual([
    `warn: certificate ${path} for new.example is not valid before 2099-01-01T00:00:00.000Z: browsers turn back, and it is served all the same; look at the clock of this machine, or put a valid one in its place`,
  ])
  expect(await next(pair({ names: ['soon.example'], days: 3 }))).toEqual([
    expect.stringMatching(/^info: certificate .* for soon\.example is served, until /),
  ])
})
