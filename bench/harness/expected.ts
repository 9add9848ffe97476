/** What the applications of bench/apps answer, and the fixed answers. */
import type { Expected } from './server.ts'

export const HELLO: Expected = { path: '/', body: 'Hello, world!\n' }

/** Without a line end, which not every rival's configuration can write. */
export const FIXED_BODY = 'Hello, world!'
export const FIXED: Expected = { path: '/', body: FIXED_BODY }
