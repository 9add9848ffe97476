/**
 * Signals of applications.
 *
 *     PORTICO.SIGNAL name [data]    how many processes listen
 *
 * Every process that listens is told, over the channel `portico:signal:<name>`, and the supervisor, which
 * runs what was declared for that signal.
 */
import { Failure } from '../../wire/resp.ts'
import type { Commons } from '../commons.ts'
import type { Command, Registry } from '../registry.ts'

const LONGEST_NAME = 200

export function signals(commons: Commons, registry: Registry): readonly Command[] {
  return [
    {
      name: 'PORTICO.SIGNAL',
      arity: -2,
      run: (client, [, name, data = '']) => {
        if (name!.length > LONGEST_NAME)
          return new Failure('ERR the name of the signal is too long')
        commons.signalled(name!)
        return registry.run(client, ['PUBLISH', `portico:signal:${name}`, data])
      },
    },
  ]
}
