/** Makes the light classes the ones that applications find. */
import { asPlain, LightRequest } from './request.ts'
import { LightResponse } from './response.ts'

type Input = Parameters<typeof fetch>[0]

/** Node's own functions know only Node's own requests. */
const plainFetch = globalThis.fetch

/** Once in each process or thread that runs fetch handlers, before their modules are loaded. */
export function installFetch(): void {
  define('Request', LightRequest)
  define('Response', LightResponse)
  define('fetch', function fetch(input: Input, init?: RequestInit): Promise<Response> {
    return plainFetch(asPlain(input) as Input, init)
  })
}

function define(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, {
    value,
    configurable: true,
    enumerable: false,
    writable: true,
  })
}
