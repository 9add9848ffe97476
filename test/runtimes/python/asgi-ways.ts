/** Both event loops that an ASGI worker may run in, and what tests of it share. */
import { join } from 'node:path'
import type { PythonAppPlan } from '../../../src/site/plan.ts'
import { FrameType } from '../../../src/wire/frames.ts'
import { type Frame, frame, type WorkerLink } from './link.ts'
import { appsFolder } from './supervisor.ts'

export const loops: readonly { readonly name: string; readonly how: Partial<PythonAppPlan> }[] = [
  { name: 'uvloop', how: { module: 'asgi_cases' } },
  {
    name: 'asyncio',
    how: { module: 'asgi_cases', env: { PYTHONPATH: join(appsFolder, 'without_uvloop') } },
  },
]

/** What the application noted down since it was last asked. */
export async function noted(worker: WorkerLink): Promise<unknown[]> {
  return JSON.parse((await worker.request({ path: '/seen' })).body)
}

/** The frames that came for `id`, but those of DATA. */
export function framesOf(worker: WorkerLink, id: number): Frame[] {
  return worker.seen.filter((one) => one.id === id && one.type !== FrameType.DATA)
}

/** Resolves with the `nth` frame of a type for `id`. */
export async function frameOf(
  worker: WorkerLink,
  id: number,
  type: number,
  nth: number = 0,
): Promise<Frame> {
  const find = (): Frame | undefined =>
    worker.seen.filter((one) => one.id === id && one.type === type)[nth]
  await worker.until(() => find() !== undefined)
  return find()!
}

export function closeFrame(id: number, code: number, reason: string = ''): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason))
  payload.writeUInt16LE(code)
  payload.write(reason, 2)
  return frame(FrameType.CLOSE, id, 0, payload)
}
