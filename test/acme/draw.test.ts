/** Which names come from whom. */
import { writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Authority } from '../../src/acme/authority.ts'
import { forServer } from '../../src/acme/for-server.ts'
import type { AcmePlan } from '../../src/site/acme-plan.ts'
import { isLocal } from '../../src/site/local-names.ts'
import { folderWith, load } from '../site/here.ts'

async function acmeOf(site: object, folder = folderWith({})): Promise<AcmePlan | undefined> {
  writeFileSync(`${folder}/site.yaml`, JSON.stringify(site))
  return (await load(folder, 'site.yaml')).plan.acme
}

const routes = { '/': { respond: 'x' } }

test('what no CA knows is local', () => {
  for (const name of [
    'localhost',
    'a.localhost',
    'shop',
    'nas.local',
    'x.home.arpa',
    '10.0.0.1',
    '::1',
  ]) {
    expect([name, isLocal(name)]).toEqual([name, true])
  }
  for (const name of ['example.com', '*.example.org', 'localhost.example.com', 'local.de']) {
    expect([name, isLocal(name)]).toEqual([name, false])
  }
})

describe('a site', () => {
  test('without TLS has none', async () => {
    expect(await acmeOf({ listen: ':8080', routes })).toBeUndefined()
  })

  test('with TLS and without certificates has automatic ones', async () => {
    const site = {
      listen: 'https://:443',
      hosts: { 'www.example.com': routes, 'nas.local': routes },
    }
    expect(await acmeOf(site)).toMatchObject({ names: ['www.example.com'] })
    expect((await acmeOf(site))?.local).toContain('nas.local')
    expect(
      await acmeOf({ ...site, tls: { automatic: false, certificates: [] } }).catch(String),
    ).toMatch(/TLS needs a certificate/)
  })

  test('for any host answers for its own machine, and for the address that it listens on', async () => {
    const plan = await acmeOf({ listen: 'https://10.1.2.3:443', routes })
    expect(plan).toMatchObject({ names: [] })
    for (const name of ['localhost', '127.0.0.1', '::1', '10.1.2.3']) {
      expect(plan?.local).toContain(name)
    }
  })

  test('with certificates of its own has automatic ones only where it says so, for the other names', async () => {
    const folder = folderWith({})
    const own = await (await Authority.open(folder)).leaf(['www.example.com'])
    writeFileSync(`${folder}/own.pem`, own.cert + own.key)
    const hosts = { 'www.example.com': routes, 'api.example.com': routes }
    const site = { listen: 'https://:443', hosts }
    const tls = { certificates: './own.pem' }
    expect(await acmeOf({ ...site, tls }, folder)).toBeUndefined()
    const both = await acmeOf({ ...site, tls: { ...tls, automatic: true } }, folder)
    expect(both).toMatchObject({ names: ['api.example.com'] })
    const listen = { on: 'https://:443', certificate: './own.pem' }
    expect(await acmeOf({ listen, hosts }, folder)).toBeUndefined()
  })

  test('says itself for which names, and how', async () => {
    const acme = {
      names: ['A.example.com.', 'a.example.com', '10.0.0.1'],
      challenge: 'tls-alpn-01',
    }
    const plan = await acmeOf({ listen: 'https://:443', routes, tls: { acme } })
    expect(plan).toMatchObject({ names: ['a.example.com'], challenges: ['tls-alpn-01'] })
    expect(plan?.local).toContain('10.0.0.1')
  })
})

test('the server process hears no password', async () => {
  const folder = folderWith({ 'eab.key': 'abc', hook: '' })
  const acme = {
    store: 'redis://:hunter2@redis/0',
    server: 'zerossl',
    'external-account': { zerossl: { 'key-id': 'id', 'key-file': './eab.key' } },
    'dns-hook': ['./hook', '--token=hunter3'],
  }
  const site = { listen: 'https://:443', hosts: { 'www.example.com': routes }, tls: { acme } }
  writeFileSync(`${folder}/site.yaml`, JSON.stringify(site))
  const { plan } = await load(folder, 'site.yaml')
  expect(JSON.stringify(plan)).toContain('hunter2')
  expect(JSON.stringify(forServer(plan))).not.toMatch(/hunter|eab\.key/)
})
