/** What is left of the difference when a framework does its part. */
import { HELLO } from '../harness/expected.ts'
import type { Scenario } from '../harness/scenario.ts'
import { throughput } from '../harness/throughput.ts'
import { bjoern } from '../rivals/bjoern.ts'
import { granian } from '../rivals/granian.ts'
import { gunicornGthread } from '../rivals/gunicorn.ts'
import { nginxUwsgi } from '../rivals/nginx-uwsgi.ts'
import { portico } from '../rivals/portico.ts'

export const flaskHello: Scenario = throughput({
  name: 'flask-hello',
  title: 'The same text from Flask; 1 worker, 32 keep-alive connections.',
  rivals: [portico, nginxUwsgi, gunicornGthread, granian, bjoern],
  reference: nginxUwsgi.name,
  connections: 32,
  prepare: () => ({
    site: { kind: 'wsgi', module: 'flask_hello', workers: 1 },
    expected: HELLO,
  }),
})
