/** One worker, the smallest WSGI application: what serving a request costs when the application is free. */
import { HELLO } from '../harness/expected.ts'
import type { Scenario } from '../harness/scenario.ts'
import type { Prepared } from '../harness/throughput.ts'
import { throughput } from '../harness/throughput.ts'
import { bjoern } from '../rivals/bjoern.ts'
import { granian } from '../rivals/granian.ts'
import { gunicornGthread, gunicornSync, newestGunicornGthread } from '../rivals/gunicorn.ts'
import { nginxUwsgi } from '../rivals/nginx-uwsgi.ts'
import { portico } from '../rivals/portico.ts'
import { uwsgiHttp11 } from '../rivals/uwsgi-http11.ts'
import { waitress } from '../rivals/waitress.ts'

const prepare = (): Prepared => ({
  site: { kind: 'wsgi', module: 'hello', workers: 1 },
  expected: HELLO,
})

const some = [portico, nginxUwsgi, granian, bjoern]

export const wsgiHello32: Scenario = throughput({
  name: 'wsgi-hello-32',
  title: 'A WSGI application that answers 14 bytes; 1 worker, 32 keep-alive connections.',
  rivals: [
    portico,
    nginxUwsgi,
    uwsgiHttp11,
    gunicornGthread,
    gunicornSync,
    newestGunicornGthread,
    waitress,
    granian,
    bjoern,
  ],
  reference: nginxUwsgi.name,
  connections: 32,
  prepare,
})

export const wsgiHello1: Scenario = throughput({
  name: 'wsgi-hello-1',
  title: 'The same at 1 connection: what one request costs from end to end.',
  rivals: [...some, gunicornGthread],
  reference: nginxUwsgi.name,
  connections: 1,
  prepare,
})

export const wsgiHello128: Scenario = throughput({
  name: 'wsgi-hello-128',
  title: 'The same at 128 connections.',
  rivals: [...some, gunicornGthread],
  reference: nginxUwsgi.name,
  connections: 128,
  prepare,
})

export const wsgiHelloVaried: Scenario = throughput({
  name: 'wsgi-hello-varied',
  title:
    'The same at 32 connections, with no two requests alike: path, query, cookie and header values all differ, so that remembering the last request helps nobody.',
  rivals: some,
  reference: nginxUwsgi.name,
  connections: 32,
  script: 'varied.lua',
  prepare,
})
