/** The scripts that run inside Redis, each one step that nobody can come between. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

const names = ['put', 'lease', 'settle', 'beat', 'cancel', 'dead', 'queues', 'list'] as const

export type ScriptName = (typeof names)[number]

export interface Script {
  readonly source: string
  /** By which Redis knows it (EVALSHA). */
  readonly sha: string
}

function read(name: string): string {
  return readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'latin1')
}

export function loadScripts(): Readonly<Record<ScriptName, Script>> {
  const common = read('common')
  const made = names.map((name): [ScriptName, Script] => {
    const source = `${common}\n${read(name)}`
    return [name, { source, sha: createHash('sha1').update(source, 'latin1').digest('hex') }]
  })
  return Object.fromEntries(made) as Record<ScriptName, Script>
}
