/** podman and docker, whose command lines are the same as far as they are used here. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { ContainerAppPlan } from '../../site/plan.ts'
import { findProgram } from '../find-program.ts'

const run = promisify(execFile)
/** Longest that a short command may take, ms. */
const TIMEOUT_MS = 30_000
/** Those of a container that holds up its own end are waited for this long, s. */
const STOP_SECONDS = '0'

/** Containers of ours carry the process that answers for them: `<pid>.<when it began>`. */
export const LABEL = 'portico.supervisor'

export interface Engine {
  readonly name: 'podman' | 'docker'
  /** Absolute. */
  readonly file: string
}

/** Rejects with a remedy where there is none, or none that works. */
export async function findEngine(app: ContainerAppPlan): Promise<Engine> {
  const names = app.engine === 'auto' ? (['podman', 'docker'] as const) : ([app.engine] as const)
  const reasons: string[] = []
  for (const name of names) {
    const file = findProgram(name, { dir: '/', env: {} })
    if (file === '') {
      reasons.push(`there is no ${name}`)
      continue
    }
    try {
      await ask({ name, file }, ['version', '--format', '{{.Client.Version}}'])
      // Docker's client works without its daemon; a list does not.
      await ask({ name, file }, ['ps', '--quiet', '--last', '1'])
      return { name, file }
    } catch (error) {
      reasons.push(`${name} does not work: ${lastLine(error)}`)
    }
  }
  throw new Error(
    `containers need podman or docker: ${reasons.join('; ')} (Debian: \`apt install podman\`)`,
  )
}

/** What a command says. Rejects with its last words. */
export async function ask(engine: Engine, args: readonly string[]): Promise<string> {
  const { stdout } = await run(engine.file, args, { timeout: TIMEOUT_MS, killSignal: 'SIGKILL' })
  return stdout.trim()
}

export async function remove(engine: Engine, names: readonly string[]): Promise<void> {
  if (names.length === 0) return
  await ask(engine, removal(engine, names)).catch(() => '')
}

/** The arguments that end and remove containers, whatever they do. */
export function removal({ name }: Engine, names: readonly string[]): string[] {
  const grace = name === 'podman' ? ['--time', STOP_SECONDS, '--ignore'] : []
  return ['rm', '--force', ...grace, '--volumes', ...names]
}

/** Those whose supervisor is no more. */
export async function abandoned(
  engine: Engine,
  lives: (label: string) => boolean,
): Promise<string[]> {
  const filter = ['--filter', `label=${LABEL}`]
  const listed = await ask(engine, ['ps', '--all', '--quiet', ...filter]).catch(() => '')
  const ids = listed.split('\n').filter(Boolean)
  if (ids.length === 0) return []
  const format = `{{.Id}} {{index .Config.Labels "${LABEL}"}}`
  // One that is removed meanwhile fails the command, not what it says of the others.
  const told = await ask(engine, [
    'inspect',
    '--type',
    'container',
    '--format',
    format,
    ...ids,
  ]).catch((error: { stdout?: string }) => error.stdout ?? '')
  return told.split('\n').flatMap((line) => {
    const [id = '', label = ''] = line.split(' ')
    return id === '' || label === '' || lives(label) ? [] : [id]
  })
}

export function lastLine(error: unknown): string {
  const told = error instanceof Error && 'stderr' in error ? String(error.stderr) : ''
  return told.trim().split('\n').at(-1) || (error instanceof Error ? error.message : String(error))
}
