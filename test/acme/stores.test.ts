import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStore } from '../../src/acme/open-store.ts'
import { EtcdStore } from '../../src/acme/stores/etcd.ts'
import { parseEtcdAddress } from '../../src/acme/stores/etcd-address.ts'
import { FileStore } from '../../src/acme/stores/file.ts'
import { RedisStore } from '../../src/acme/stores/redis.ts'
import { RedisServer } from '../jobs/servers.ts'
import { until } from '../supervisor/site.ts'
import { EtcdServer } from './etcd-server.ts'
import { storeSuite } from './stores.ts'

const quiet = (): void => {}

describe('a folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'portico-store-'))
  const store = join(folder, 'certificates')
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  storeSuite(() => openStore(store, quiet))

  test('nobody else can read it', async () => {
    await new FileStore(store).write('accounts/one', 'secret')
    const modes = (path: string): number[] => [
      statSync(path).mode & 0o777,
      ...(statSync(path).isDirectory()
        ? readdirSync(path).flatMap((name) => modes(join(path, name)))
        : []),
    ]
    expect(modes(store).filter((mode) => (mode & 0o077) !== 0)).toEqual([])
  })

  test('a lock of a process that was killed is free', async () => {
    const module = new URL('../../src/acme/stores/file.ts', import.meta.url).href
    const program = `const { FileStore } = await import(${JSON.stringify(module)})
      await new FileStore(${JSON.stringify(store)}).lock('killed')
      console.log('locked')
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await new Promise((resolve) => child.stdout.once('data', resolve))
    expect(await new FileStore(store).lock('killed')).toBeNull()
    child.kill('SIGKILL')
    await until('the lock', async () => {
      const lease = await new FileStore(store).lock('killed')
      await lease?.release()
      return lease !== null
    })
  })

  test('one that cannot be written says why, and leaves nothing behind', async () => {
    const blocked = new FileStore(join(folder, 'file'))
    await new FileStore(folder).write('file', 'in the way')
    await expect(blocked.write('certificates/x', 'y')).rejects.toThrow(/ENOTDIR|EEXIST/)
    const full = new FileStore('/dev/full')
    await expect(full.write('x', 'y')).rejects.toThrow()
    expect(readdirSync(folder).filter((name) => name.endsWith('.new'))).toEqual([])
  })
})

describe('Redis', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(() => redis[Symbol.asyncDispose]())
  storeSuite(() => openStore(redis.url, quiet))

  test('a lock that was lost is told, and what others hold is left to them', async () => {
    const store = new RedisStore(`${redis.url}?prefix=other`, quiet)
    const lease = await store.lock('lost')
    await redis.cli('SET', 'other:certificates:locks/lost', 'somebody')
    await lease?.release()
    expect((await redis.cli('GET', 'other:certificates:locks/lost')).trim()).toBe('somebody')
    store.close()
  })

  test('one that is away is an error in time, and is found again', async () => {
    const own = await RedisServer.start()
    const store = new RedisStore(own.url, quiet, 2_000)
    await store.write('kept', 'yes')
    await own.stop()
    await until(
      'the loss',
      () =>
        store.read('kept').then(
          () => false,
          () => true,
        ),
      5_000,
    )
    await own.start()
    expect(await store.read('kept')).toBe('yes')
    store.close()
    await own[Symbol.asyncDispose]()
  })
})

describe('etcd', () => {
  let etcd: EtcdServer
  beforeAll(async () => {
    etcd = await EtcdServer.start()
  }, 30_000)
  afterAll(() => etcd[Symbol.asyncDispose]())
  storeSuite(() => openStore(`etcd://${etcd.host}/site`, quiet))

  test('the next endpoint answers for one that is away', async () => {
    const store = new EtcdStore(`etcd://127.0.0.1:1,${etcd.host}/site`)
    await store.write('kept', 'yes')
    expect(await store.read('kept')).toBe('yes')
    const away = new EtcdStore('etcd://127.0.0.1:1')
    await expect(away.read('kept')).rejects.toThrow('127.0.0.1:1: connect ECONNREFUSED')
  })

  test('with a password; a token that is void is replaced', async () => {
    await using own = await EtcdServer.start()
    await own.post('auth/user/add', { name: 'root', password: 'a:b@c' })
    await own.post('auth/role/add', { name: 'root' })
    await own.post('auth/user/grant', { user: 'root', role: 'root' })
    await own.post('auth/enable', {})
    const store = new EtcdStore(`etcd://root:${encodeURIComponent('a:b@c')}@${own.host}`)
    await store.write('kept', 'yes')
    await own.stop()
    await own.start()
    expect(await store.read('kept')).toBe('yes')
    const wrong = new EtcdStore(`etcd://root:wrong@${own.host}`)
    await expect(wrong.read('kept')).rejects.toThrow(/authentication failed/)
    await expect(new EtcdStore(`etcd://${own.host}`).read('kept')).rejects.toThrow(/user name/)
  }, 30_000)

  test('addresses', () => {
    expect(parseEtcdAddress('etcds://me:p%40ss@a,b:1/x/y/')).toEqual({
      endpoints: ['https://a:2379', 'https://b:1'],
      user: 'me',
      password: 'p@ss',
      prefix: 'x/y/certificates/',
      shown: 'etcds://a,b:1/x/y/',
    })
    for (const wrong of ['etcd://', 'etcd:host', 'etcd://a b', 'etcd://a/x?y=1']) {
      expect(() => parseEtcdAddress(wrong)).toThrow()
    }
  })
})
