/**
 * node:http without its price. An `import` of it evaluates all that it exports, undici with TLS and HTTP/2
 * among that: 20 to 40 ms of processor time in each process and thread, and memory for as long as it lives.
 */
import type * as Http from 'node:http'

export const http: typeof Http = process.getBuiltinModule('node:http')
