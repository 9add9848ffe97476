/** The newest Starlette and FastAPI of PyPI keep the contract, with uvloop and without. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keepsContract } from '../flows/support/contract.ts'
import { APPS, Portico } from '../flows/support/portico.ts'
import { talk } from '../flows/support/talk.ts'
import { ask, Visitor } from '../flows/support/visitor.ts'
import { until } from '../supervisor/site.ts'
import { makeVenv } from './venv.ts'

let folder = ''
let venv = ''

beforeAll(() => {
  ;({ folder, venv } = makeVenv(['starlette', 'fastapi', 'python-multipart', 'uvloop']))
}, 180_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const hidden = join(new URL('../apps', import.meta.url).pathname, 'without_uvloop')

describe.each([
  { loop: 'uvloop', env: '' },
  { loop: 'asyncio', env: `, env: { PYTHONPATH: ${hidden} }` },
])('in $loop', ({ env }) => {
  test.each(['starlette', 'fastapi'])(
    '%s',
    async (name) => {
      await using portico = await Portico.serve({
        'site.yaml': `
listen: "127.0.0.1:0"
routes: { /mounted/: { app: one }, /: { app: one } }
apps: { one: { python: "${name}_contract:application", dir: ${APPS}, venv: ${venv}, workers: 1${env} } }
`,
      })
      await portico.settled()
      using visitor = await Visitor.to(portico.port)
      await keepsContract(name, '', 1_000_000, (path, more) => visitor.ask(path, more))
      expect((await visitor.ask('/mounted/')).text).toBe(`Hello from ${name}`)
      const { socket, heard, messages } = await talk(`ws://127.0.0.1:${portico.port}/echo`)
      for (let n = 0; n < 1_000; n++) socket.send(`${n}`)
      await heard(1_000)
      expect(messages.at(-1)).toBe('999')
      if (name !== 'starlette') return
      const path = portico.write('file.bin', Buffer.alloc(300_000))
      expect((await ask(portico.port, `/file?path=${path}`)).body).toHaveLength(300_000)
      expect((await ask(portico.port, '/background')).text).toBe('at once')
      const leaving = await Visitor.to(portico.port)
      leaving.send('GET /endless HTTP/1.1\r\nHost: a\r\n\r\n')
      await leaving.read()
      leaving.leave()
      await until('both to be done', async () => {
        const { text } = await ask(portico.port, '/told')
        return text.includes('background') && text.includes('endless')
      })
    },
    60_000,
  )
})
