import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Queue } from '../../../src/transports/worker-link/queue.ts'

test('a queue gives what an array would, whatever is done to it', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('push', 'shift', 'drain', 'push', 'push')), (steps) => {
      const queue = new Queue<{ n: number }>()
      const model: { n: number }[] = []
      let n = 0
      for (const step of steps.flatMap((one) => Array<string>(30).fill(one))) {
        if (step === 'push') {
          const item = { n: n++ }
          queue.push(item)
          model.push(item)
        } else if (step === 'shift') expect(queue.shift()).toBe(model.shift() ?? null)
        else expect(queue.drain()).toEqual(model.splice(0))
        expect(queue.size).toBe(model.length)
        expect(queue.peek()).toBe(model[0] ?? null)
      }
    }),
  )
})
