/**
 * Signals of applications.
 *
 *     PORTICO.SIGNAL name [data]    how many processes listen
 *
 * Every process that listens is told, over the channel `portico:signal:<name>`, and the supervisor, which
 * runs what was declared for that signal.
 */
import type { Commons } from '../commons.ts'
import type { Command, Registry } from '../registry.ts'

export function signals(commons: Commons, registry: Registry): readonly Command[] {
  return [
    {
      name: 'PORTICO.SIGNAL',
      arity: -2,
      run: (client, [, name, data = '']) => {
        commons.signalled(name!)
        return registry.run(client, ['PUBLISH', `portico:signal:${name}`, data])
      },
    },
  ]
}
