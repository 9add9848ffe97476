/** OpenStack's Keystone, Debian's, as Portico runs it: the real client gets a token and uses it. */
import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Portico, PYTHON } from '../flows/support/portico.ts'

const run = promisify(execFile)
const PASSWORD = 'a secret of the test'

let folder = ''
let manage: (...args: string[]) => void

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'portico-keystone-'))
  const keys = join(folder, 'keys')
  const config = join(folder, 'keystone.conf')
  mkdirSync(keys, { mode: 0o700 })
  writeFileSync(
    config,
    `[database]
connection = sqlite:///${folder}/keystone.db
[fernet_tokens]
key_repository = ${keys}
[fernet_receipts]
key_repository = ${keys}
`,
  )
  manage = (...args) =>
    void execFileSync('keystone-manage', ['--config-file', config, ...args], { stdio: 'pipe' })
  const owner = ['--keystone-user', 'root', '--keystone-group', 'root']
  manage('db_sync')
  manage('fernet_setup', ...owner)
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('the client gets a token, and a list of users with it', async () => {
  await using portico = await Portico.serve({
    'site.yaml': `
listen: "127.0.0.1:0"
routes: { /: { app: keystone } }
apps:
  keystone:
    python: "keystone.server.wsgi:initialize_public_application()"
    interpreter: ${PYTHON}
    workers: 2
    env: { OS_KEYSTONE_CONFIG_DIR: ${folder} }
`,
  })
  await portico.settled()
  const url = `http://127.0.0.1:${portico.port}/v3`
  const endpoint = ['--bootstrap-public-url', url, '--bootstrap-region-id', 'RegionOne']
  manage('bootstrap', '--bootstrap-password', PASSWORD, ...endpoint)
  const openstack = async (...args: string[]): Promise<unknown> => {
    const { stdout } = await run('openstack', [...args, '-f', 'json'], {
      env: {
        PATH: process.env.PATH,
        HOME: folder,
        OS_AUTH_URL: url,
        OS_USERNAME: 'admin',
        OS_PASSWORD: PASSWORD,
        OS_PROJECT_NAME: 'admin',
        OS_USER_DOMAIN_NAME: 'Default',
        OS_PROJECT_DOMAIN_NAME: 'Default',
      },
    })
    return JSON.parse(stdout)
  }
  expect(await openstack('token', 'issue')).toMatchObject({
    id: expect.stringMatching(/^gAAAA[\w-]{100,}=*$/),
    user_id: expect.stringMatching(/^[0-9a-f]{32}$/),
  })
  expect(await openstack('user', 'list')).toEqual([expect.objectContaining({ Name: 'admin' })])
  await openstack('user', 'create', '--password', 'another', 'visitor')
  expect(await openstack('user', 'show', 'visitor')).toMatchObject({ name: 'visitor' })
})
