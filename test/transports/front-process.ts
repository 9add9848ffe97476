/** A front in a process of its own, so that its memory can be told. Argument: the backend's port. */
import { front, poolPlan, target } from './front.ts'

const made = await front(poolPlan([target(Number(process.argv[2]))]))
process.send?.({ port: made.port })
process.on('message', () => process.send?.({ peak: process.resourceUsage().maxRSS * 1024 }))
