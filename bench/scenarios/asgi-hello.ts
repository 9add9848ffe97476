/** The same over ASGI: one worker, uvloop for everybody. */
import { HELLO } from '../harness/expected.ts'
import type { Scenario } from '../harness/scenario.ts'
import { type Prepared, throughput } from '../harness/throughput.ts'
import { granian } from '../rivals/granian.ts'
import { portico } from '../rivals/portico.ts'
import { uvicorn } from '../rivals/uvicorn.ts'

const prepare = (): Prepared => ({
  site: { kind: 'asgi', module: 'asgi_hello', workers: 1 },
  expected: HELLO,
})

export const asgiHello32: Scenario = throughput({
  name: 'asgi-hello-32',
  title: 'An ASGI application that answers 14 bytes; 1 worker, 32 keep-alive connections.',
  rivals: [portico, uvicorn, granian],
  reference: uvicorn.name,
  connections: 32,
  prepare,
})

export const asgiHello128: Scenario = throughput({
  name: 'asgi-hello-128',
  title: 'The same at 128 connections.',
  rivals: [portico, uvicorn, granian],
  reference: uvicorn.name,
  connections: 128,
  prepare,
})
