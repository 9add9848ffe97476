/** Every command: a file each, loaded alone, so that each starts fast. */
import type { Command } from 'commander'

export type Register = (program: Command) => void

/** In the order of `portico --help`. */
export const commands: Readonly<Record<string, () => Promise<Register>>> = {
  serve: async () => (await import('./serve.ts')).serveCommand,
  check: async () => (await import('./check.ts')).checkCommand,
  reload: async () => (await import('./reload.ts')).reloadCommand,
  stop: async () => (await import('./stop.ts')).stopCommand,
  status: async () => (await import('./status.ts')).statusCommand,
  docs: async () => (await import('./docs.ts')).docsCommand,
}
