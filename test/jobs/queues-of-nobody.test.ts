import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { queuesOfNobody } from '../../src/jobs/queues-of-nobody.ts'
import { loadSite } from '../../src/site/load.ts'

async function warnings(site: object, told: unknown): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-queues-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'shop.py'), '')
  writeFileSync(join(folder, 'site.json'), JSON.stringify(site))
  return queuesOfNobody((await loadSite(join(folder, 'site.json'))).plan, 'shop', told)
}

const shop = (jobs: object): object => ({
  routes: { '/': { app: 'shop' } },
  apps: { shop: { python: 'shop:app', ...jobs } },
})
const told = {
  jobs: [
    { name: 'shop.send', queue: 'mail' },
    { name: 'shop.remind', queue: 'mail' },
    { name: 'shop.count', queue: 'default' },
  ],
}

it('queues without anybody who does their jobs, each once, with the remedy', async () => {
  expect(await warnings(shop({ jobs: {} }), told)).toEqual([
    'nobody does the jobs of queue mail, such as shop.send: they wait; name it in apps.shop.jobs.queues',
  ])
  const without = await warnings(shop({}), told)
  expect(without).toHaveLength(2)
  expect(without[0]).toMatch(/give the application `jobs: \{ queues: \[mail\] \}` in a site file$/)
})

it('none where an application or a program does them, or a broker that other machines ask', async () => {
  expect(await warnings(shop({ jobs: { queues: ['mail', 'default'] } }), told)).toEqual([])
  const program = { jobs: { queues: { mail: { run: 'true' } } } }
  expect(await warnings({ ...shop({ jobs: {} }), ...program }, told)).toEqual([])
  const broker = { jobs: { engine: 'redis://localhost' } }
  expect(await warnings({ ...shop({}), ...broker }, told)).toEqual([])
})

it('nothing is made of what is no declaration', async () => {
  for (const nonsense of [null, undefined, 7, { jobs: 7 }, { jobs: [null, 7, { name: 1 }] }]) {
    expect(await warnings(shop({}), nonsense)).toEqual([])
  }
})
