/** How to start the warm parent of a Ruby application. */
import { fileURLToPath } from 'node:url'
import type { Runtime } from '../runtime.ts'
import { scriptRuntime } from '../script.ts'

/** Ruby over Rack. */
export const rack: Runtime = scriptRuntime('rack', {
  name: 'Ruby',
  program: 'ruby',
  main: fileURLToPath(new URL('./worker/main.rb', import.meta.url)),
  packages: 'ruby ruby-rack',
})
