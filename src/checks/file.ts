/**
 * A number in a file, which somebody else writes, as keepalived's track files: 0 is well, any other is
 * not. `dynamic`: the number is the weight; a negative one is not well.
 */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import type { FileCheckPlan } from '../site/check-plan.ts'
import { type Check, Unwell } from './check.ts'

/** A number needs no more, bytes. */
const MOST = 64
const MOST_WEIGHT = 65_535

export function file({ path, dynamic }: FileCheckPlan): Check {
  return {
    name: 'file',
    probe: async (_peer, signal) => {
      signal.throwIfAborted()
      const text = (await read(path)).trim()
      if (!/^[+-]?\d{1,9}$/.test(text)) throw new Unwell(`${path} holds no number`)
      const number = Number(text)
      if (dynamic && number >= 0) return Math.min(number, MOST_WEIGHT)
      if (number !== 0) throw new Unwell(`${path} says ${number}`)
      return undefined
    },
  }
}

async function read(path: string): Promise<string> {
  // A pipe would have us wait for whoever writes into it.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(MOST), 0, MOST, null)
    return buffer.toString('latin1', 0, bytesRead)
  } finally {
    await handle.close()
  }
}
