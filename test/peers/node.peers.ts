/** Node's frameworks of npm, the newest of each, as their own documentation has them. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Portico } from '../flows/support/portico.ts'
import { ask } from '../flows/support/visitor.ts'

const EXPRESS = `
import express from 'express'
const app = express()
app.use(express.json())
app.get('/hello/:name', (req, res) => res.send('hello ' + req.params.name))
app.post('/echo', (req, res) => res.json(req.body))
export default app
`

const FASTIFY = `
const app = require('fastify')()
app.get('/hello/:name', async (request) => 'hello ' + request.params.name)
app.post('/echo', async (request) => request.body)
app.listen({ port: Number(process.env.PORT) })
`

const HONO = `
import { Hono } from 'hono'
const app = new Hono()
app.get('/hello/:name', (c) => c.text('hello ' + c.req.param('name')))
app.post('/echo', async (c) => c.json(await c.req.json()))
export default app
`

const KOA = `
const Koa = require('koa')
const app = new Koa()
app.use(async (ctx) => {
  if (ctx.method === 'GET') ctx.body = 'hello ' + ctx.path.split('/').at(-1)
  else {
    let text = ''
    for await (const part of ctx.req) text += part
    ctx.body = JSON.parse(text)
  }
})
app.listen(process.env.PORT)
`

let modules = ''

beforeAll(() => {
  modules = mkdtempSync(join(tmpdir(), 'portico-peers-node-'))
  writeFileSync(join(modules, 'package.json'), '{}')
  const npm = [
    'install',
    '--silent',
    '--no-audit',
    '--no-fund',
    'express',
    'fastify',
    'hono',
    'koa',
  ]
  execFileSync('npm', npm, { cwd: modules, stdio: 'inherit' })
})

afterAll(() => rmSync(modules, { recursive: true, force: true }))

test.each([
  ['express', 'app.mjs', EXPRESS, 'processes'],
  ['fastify', 'app.cjs', FASTIFY, 'processes'],
  ['hono', 'app.mjs', HONO, 'processes'],
  ['hono', 'app.mjs', HONO, 'threads'],
  ['koa', 'app.cjs', KOA, 'processes'],
])('the newest %s', async (name, file, code, run) => {
  const app = join(modules, `${name}-${run}`, file)
  execFileSync('mkdir', ['-p', dirname(app)])
  writeFileSync(app, code)
  await using portico = await Portico.serve({
    'site.yaml': `
listen: "127.0.0.1:0"
threads: 1
routes: { /: { app: app } }
apps: { app: { node: ${app}, workers: 2, run: ${run} } }
`,
  })
  expect((await ask(portico.port, '/hello/world')).text).toBe('hello world')
  const body = JSON.stringify({ a: [1, 'é'] })
  const fields = { 'Content-Type': 'application/json' }
  const echo = await ask(portico.port, '/echo', { method: 'POST', fields, body })
  expect([echo.status, JSON.parse(echo.text)]).toEqual([200, { a: [1, 'é'] }])
})
