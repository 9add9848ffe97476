/** What is called beside the workers: writes to files, so that a test sees it from outside. */
import { appendFileSync } from 'node:fs'

const file = process.env.NOTES ?? ''

export function note(path: string, text = 'called'): void {
  appendFileSync(path, `${text} ${process.pid}\n`)
}

export async function wait(path: string): Promise<void> {
  note(path)
  await new Promise((resolve) => setTimeout(resolve, 60_000))
}

/** Alive as long as it has something to do, whatever it returns. */
export function stay(): void {
  void wait(file)
}

export function pass_by(): void {
  note(file)
}

/** Ends in an orderly way. */
export function careful(): void {
  stay()
  process.on('SIGTERM', () => {
    note(file, 'orderly')
    process.exit(0)
  })
}

export async function fail(): Promise<void> {
  const error = new Error('on purpose')
  error.name = 'LookupError'
  throw error
}

export function leave(code: number): void {
  process.exit(code)
}

/** Nothing will ever end it. */
export async function hang(): Promise<void> {
  await new Promise(() => {})
}

export const inner = {
  path: file as string,
  note(): void {
    note(this.path)
  },
}

export default { fetch: (): Response => new Response(String(process.pid)) }
