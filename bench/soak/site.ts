/** The site that is soaked: an application of each kind, and one that leaks. */
import { copyFileSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PYTHON } from '../harness/machine.ts'

const APPS = join(import.meta.dirname, 'apps')

export interface SiteOptions {
  /** After so many requests a worker is replaced. */
  readonly recycle: number
  /** Past this a request gets 504 and its worker another one, ms. */
  readonly deadlineMs: number
}

/** Whether a worker takes one request at a time: then a killed one costs at most one. */
export const APP_NAMES = ['shop', 'leak', 'chat', 'api', 'web'] as const
export type AppName = (typeof APP_NAMES)[number]

export const ONE_AT_A_TIME: ReadonlySet<AppName> = new Set(['shop', 'leak'])

/** Writes the site into `folder`, which its own temporary files are below as well. */
export function writeSite(folder: string, { recycle, deadlineMs }: SiteOptions): void {
  mkdirSync(join(folder, 'tmp'), { recursive: true })
  for (const name of readdirSync(APPS)) copyFileSync(join(APPS, name), join(folder, name))
  writeVersion(folder, 1)
  writeFileSync(
    join(folder, 'site.yaml'),
    `listen: "127.0.0.1:0"
threads: 2
admin: ./admin.sock
log: { access: off }
hosts:
  "*":
    /shop: { app: shop }
    /leak: { app: leak }
    /chat: { app: chat }
    /api: { app: api }
    /web: { app: web }
apps:
  shop:
    python: shop
    interpreter: ${PYTHON}
    workers: 8
    deadline: ${deadlineMs}ms
    recycle: { requests: ${recycle} }
  leak:
    python: shop
    interpreter: ${PYTHON}
    workers: 2
    recycle: { memory: 40MB }
  chat:
    python: chat
    mode: asgi
    interpreter: ${PYTHON}
    workers: 2
    recycle: { requests: ${recycle} }
  api:
    node: ./api.mjs
    workers: 2
    recycle: { requests: ${recycle} }
  web:
    node: ./web.mjs
    workers: 2
    recycle: { requests: ${recycle} }
`,
  )
}

/** What the applications read when they are loaded, and tell in every answer. */
export function writeVersion(folder: string, version: number): void {
  // At once: whoever reads it meanwhile must not find half of it.
  writeFileSync(join(folder, 'version.new'), String(version))
  renameSync(join(folder, 'version.new'), join(folder, 'version'))
}
