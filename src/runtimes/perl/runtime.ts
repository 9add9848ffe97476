/** How to start the warm parent of a Perl application. */
import { fileURLToPath } from 'node:url'
import type { Runtime } from '../runtime.ts'
import { scriptRuntime } from '../script.ts'

/** Perl over PSGI. */
export const psgi: Runtime = scriptRuntime('psgi', {
  name: 'Perl',
  program: 'perl',
  main: fileURLToPath(new URL('./worker/main.pl', import.meta.url)),
  packages: 'perl libplack-perl',
})
