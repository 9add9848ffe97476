/* Entry of the thread that watches: with the compiled code of the process. */
import { cacheCompiled } from '../compile-cache.mjs'

cacheCompiled()
await import('./watch.ts')
