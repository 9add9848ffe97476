/* The program of a process that answers no requests: with the compiled code of the others. */
import { cacheCompiled } from '../compile-cache.mjs'
import { START_VARIABLE } from '../start-variable.mjs'

const order = process.env[START_VARIABLE]
delete process.env[START_VARIABLE]
cacheCompiled()
const { begin } = await import('./role.ts')
begin(JSON.parse(order))
