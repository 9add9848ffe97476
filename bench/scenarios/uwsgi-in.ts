/** Portico where uWSGI was, behind the nginx that stays: both speak uwsgi over a unix socket. */
import { HELLO } from '../harness/expected.ts'
import type { Scenario } from '../harness/scenario.ts'
import { throughput } from '../harness/throughput.ts'
import { nginxPortico } from '../rivals/nginx-portico.ts'
import { nginxUwsgi } from '../rivals/nginx-uwsgi.ts'

export const uwsgiIn: Scenario = throughput({
  name: 'uwsgi-in',
  title:
    'The smallest WSGI application behind nginx over uwsgi; 1 worker, 32 keep-alive connections.',
  rivals: [nginxPortico, nginxUwsgi],
  reference: nginxUwsgi.name,
  connections: 32,
  prepare: () => ({
    site: { kind: 'wsgi', module: 'hello', workers: 1 },
    expected: HELLO,
  }),
})
