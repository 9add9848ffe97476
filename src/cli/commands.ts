/** Every command: a file each, loaded alone, so that each starts fast. */
import type { Command } from 'commander'

/** Adds a command; `whole` makes a program with every command, for those that describe it. */
export type Register = (program: Command, whole: () => Promise<Command>) => void

/** In the order of `portico --help`. */
export const commands: Readonly<Record<string, () => Promise<Register>>> = {
  serve: async () => (await import('./serve.ts')).serveCommand,
  farm: async () => (await import('./farm.ts')).farmCommand,
  check: async () => (await import('./check.ts')).checkCommand,
  reload: async () => (await import('./reload.ts')).reloadCommand,
  maintenance: async () => (await import('./maintenance.ts')).maintenanceCommand,
  stop: async () => (await import('./stop.ts')).stopCommand,
  status: async () => (await import('./status.ts')).statusCommand,
  pool: async () => (await import('./pool.ts')).poolCommand,
  jobs: async () => (await import('./jobs.ts')).jobsCommand,
  cron: async () => (await import('./cron.ts')).cronCommand,
  certificates: async () => (await import('./certificates.ts')).certificatesCommand,
  ca: async () => (await import('./ca.ts')).caCommand,
  import: async () => (await import('./import.ts')).importCommand,
  uwsgi: async () => (await import('./uwsgi.ts')).uwsgiCommand,
  gunicorn: async () => (await import('./gunicorn.ts')).gunicornCommand,
  install: async () => (await import('./install.ts')).installCommand,
  completion: async () => (await import('./completion.ts')).completionCommand,
  man: async () => (await import('./man.ts')).manCommand,
  docs: async () => (await import('./docs.ts')).docsCommand,
}
