/** Whether one slow request holds up fast ones: the price that a bad schedule would pay for batching. */
import type { Scenario } from '../harness/scenario.ts'
import { throughput } from '../harness/throughput.ts'
import { granian } from '../rivals/granian.ts'
import { gunicornGthread } from '../rivals/gunicorn.ts'
import { nginxUwsgi } from '../rivals/nginx-uwsgi.ts'
import { portico } from '../rivals/portico.ts'

export const wsgiSlowMix: Scenario = throughput({
  name: 'wsgi-slow-mix',
  title:
    'One request in a hundred takes 200 ms, and nothing in it tells which; 4 workers, 32 keep-alive connections.',
  rivals: [portico, nginxUwsgi, gunicornGthread, granian],
  reference: nginxUwsgi.name,
  connections: 32,
  lengthen: 3,
  prepare: () => ({
    site: { kind: 'wsgi', module: 'slow_mix', workers: 4 },
    // The check may meet the slow answer, which is as long.
    expected: { path: '/', body: { start: 'Hello, ', length: 14 } },
  }),
})
