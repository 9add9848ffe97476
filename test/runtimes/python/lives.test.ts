/** How workers live and end, in every way that they run WSGI. */
import { describe } from 'vitest'
import { endSuite, livesSuite } from '../lives.ts'
import { Supervisor, ways } from './supervisor.ts'

describe.each(ways)('a worker with $name', ({ many, how }) => {
  livesSuite({
    launch: (links) => Supervisor.start({ module: 'pep', ...how }, { links }),
    many,
    busy: '/stuck-in-c',
    napping: /most recent call first\):\n(.*\n)* {2}File ".*pep.py", line \d+ in sleep_a_while/,
    spinning: /File ".*pep.py", line \d+ in stuck_in_c/,
  })
})

describe('the end', () => endSuite(() => Supervisor.start({ module: 'pep', workers: 3 })))
