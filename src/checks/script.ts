/**
 * A program of the owner's, as keepalived's MISC_CHECK: exit code 0 is well, any other is not. `dynamic`
 * (misc_dynamic): 0 is well with the weight of the site file, 1 is not, and 2 to 255 are well with the weight
 * code − 2. But 126 and 127 are what systems say when a program cannot be started, and are not well.
 */
import { accessSync, constants } from 'node:fs'
import type { ScriptCheckPlan } from '../site/check-plan.ts'
import type { Address } from '../site/plan.ts'
import { type Check, Unwell } from './check.ts'
import { run } from './program.ts'

/** Of a service that was started without one: what a login would have. */
const USUAL_PATH = '/usr/local/bin:/usr/bin:/bin'

/** `before`: what has it run as an ordinary user. */
export function script(plan: ScriptCheckPlan, before: readonly string[]): Check {
  const { argv, folder, dynamic, env } = plan
  const usual = [`PATH=${process.env.PATH ?? USUAL_PATH}`, ...env]
  return {
    name: 'script',
    probe: async ({ address }, signal) => {
      // Behind what changes the user, this would be an exit code.
      if (before.length > 0) accessSync(argv[0]!, constants.X_OK)
      const program = {
        argv: [...before, ...argv],
        folder,
        env: [...usual, ...whoIsAsked(address)].map(latin1),
      }
      const { code, signal: by, said } = await run(program, signal)
      const words = said === '' ? '' : `: ${said.split('\n').at(-1)!.slice(0, 200)}`
      if (by !== 0) throw new Unwell(`ended by signal ${by}${words}`)
      if (code === 0) return undefined
      if (dynamic && code >= 2 && code !== 126 && code !== 127) return code - 2
      throw new Unwell(`exit code ${code}${words}`)
    },
  }
}

function whoIsAsked(address: Address): readonly string[] {
  if (address.kind === 'unix') return [`PORTICO_ADDRESS=${address.path}`]
  return [`PORTICO_ADDRESS=${address.host}`, `PORTICO_PORT=${address.port}`]
}

function latin1(text: string): string {
  return Buffer.from(text).toString('latin1')
}
