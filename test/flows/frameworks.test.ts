/**
 * Debian's Flask, Django, Falcon, Bottle and Pyramid keep one contract behind the whole server: each
 * with one thread and with four, as it is and under `wsgiref.validate`, mounted at a prefix.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keepsContract } from './support/contract.ts'
import { APPS, Portico, PYTHON } from './support/portico.ts'
import { type Ask, Visitor } from './support/visitor.ts'

const names = ['flask', 'django', 'falcon', 'bottle', 'pyramid']
const mounts = names.flatMap((name) =>
  [1, 4].flatMap((threads) =>
    ['plain', 'checked'].map((how) => ({ name, threads, how, at: `${name}-${how}-${threads}` })),
  ),
)
const MB = 1_048_576

function site(serverThreads: number): string {
  const apps = mounts.map(({ name, threads, how, at }) => {
    const callable = how === 'checked' ? `checked:${name}` : `${name}_contract:application`
    return `  ${at}: { python: "${callable}", dir: ${APPS}, interpreter: ${PYTHON}, workers: 1, threads: ${threads} }`
  })
  return `
listen: "127.0.0.1:0"
threads: ${serverThreads}
routes:
${mounts.map(({ at }) => `  /${at}/: { app: ${at} }`).join('\n')}
apps:
${apps.join('\n')}
`
}

describe.each([1, 2])('%d server threads', (serverThreads) => {
  let portico: Portico
  beforeAll(async () => {
    portico = await Portico.serve({ 'site.yaml': site(serverThreads) })
    await portico.settled()
  }, 60_000)
  afterAll(async () => {
    await portico[Symbol.asyncDispose]()
    // The checker complains by AssertionError, and about a missing `close` only on stderr.
    expect(portico.messages).not.toMatch(/AssertionError|garbage collected without/)
  })

  test.each(mounts)(
    '$at',
    async ({ name, threads, how, at }) => {
      using visitor = await Visitor.to(portico.port)
      const asked = (path: string, ask?: Ask) => visitor.ask(`/${at}${path}`, ask)
      const size = how === 'plain' && threads === serverThreads ** 2 ? 20 * MB : MB / 4
      await keepsContract(name, `/${at}`, size, asked)
    },
    30_000,
  )
})
