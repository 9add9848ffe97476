/** Where a site keeps what has to outlive it, when the site file does not say. */
import { homedir, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { siteStem } from './admin-path.ts'

/** The same for the same site each time; as the file system hierarchy and XDG have it. */
export function defaultStatePath(
  identity: string,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const name = siteStem(identity)
  // systemd made it, for the service alone, perhaps by this very name.
  const [made = ''] = (environment.STATE_DIRECTORY ?? '').split(':')
  if (made.startsWith('/')) return basename(made) === name ? made : join(made, name)
  if (process.getuid?.() === 0) return join('/var/lib/portico', name)
  const { XDG_STATE_HOME: chosen = '', HOME: home = homedir() } = environment
  if (chosen.startsWith('/')) return join(chosen, 'portico', name)
  const base = home.startsWith('/') ? join(home, '.local/state/portico') : join(tmpdir(), 'portico')
  return join(base, name)
}
