/** The promises, one a row. */
import type { Target } from './harness/targets.ts'

const US = 'Portico'
const NGINX_UWSGI = 'nginx + uWSGI'
const NGINX_FCGIWRAP = 'nginx + fcgiwrap'

type Measure = Target['measure']

/** Our figure over a rival's, in one column of one scenario. */
function ratio(scenario: string, rival: string, column: string, us: string = US): Measure {
  return (look) => {
    const ours = look(scenario, us, column)
    const theirs = look(scenario, rival, column)
    return ours === undefined || !theirs ? undefined : ours / theirs
  }
}

/** Our requests/s over a rival's; and what they would be if processor time were all that counts. */
function rate(
  scenario: string,
  rival: string,
  us: string = US,
): Pick<Target, 'measure' | 'measureByCpu'> {
  const cost = ratio(scenario, rival, 'cpu', us)
  return {
    measure: ratio(scenario, rival, 'rate', us),
    measureByCpu(look) {
      const measured = cost(look)
      return measured === undefined ? undefined : 1 / measured
    },
  }
}

function own(scenario: string, column: string): Measure {
  return (look) => look(scenario, US, column)
}

type Bound = Pick<Target, 'wanted' | 'is' | 'format'>

function atLeast(wanted: number, format: Target['format']): Bound {
  return { wanted, is: 'at least', format }
}

function atMost(wanted: number, format: Target['format']): Bound {
  return { wanted, is: 'at most', format }
}

function aimFor(wanted: number, format: Target['format']): Bound {
  return { wanted, is: 'report', format }
}

export const MUST_SHOW: readonly Target[] = [
  {
    text: 'WSGI hello, 32 keep-alive connections, 1 worker: to nginx + uWSGI',
    ...rate('wsgi-hello-32', NGINX_UWSGI),
    ...atLeast(2.5, 'ratio'),
  },
  {
    text: '… to Gunicorn gthread',
    ...rate('wsgi-hello-32', 'Gunicorn gthread'),
    ...atLeast(4, 'ratio'),
  },
  {
    text: '… to Granian',
    ...rate('wsgi-hello-32', 'Granian'),
    ...aimFor(1, 'ratio'),
  },
  {
    text: '… at 1 connection: to nginx + uWSGI',
    ...rate('wsgi-hello-1', NGINX_UWSGI),
    ...atLeast(1, 'ratio'),
  },
  {
    text: 'Flask hello: to nginx + uWSGI',
    ...rate('flask-hello', NGINX_UWSGI),
    ...atLeast(1.5, 'ratio'),
  },
  {
    text: 'ASGI hello, 32 keep-alive connections, 1 worker: to uvicorn with httptools and uvloop',
    ...rate('asgi-hello-32', 'uvicorn'),
    ...atLeast(2, 'ratio'),
  },
  {
    text: '… at 128 connections',
    ...rate('asgi-hello-128', 'uvicorn'),
    ...aimFor(2, 'ratio'),
  },
  {
    text: '… at 32 connections: to Granian',
    ...rate('asgi-hello-32', 'Granian'),
    ...aimFor(1, 'ratio'),
  },
  {
    text: 'p99 with 1% of requests taking 200 ms, 4 workers: to nginx + uWSGI',
    measure: ratio('wsgi-slow-mix', NGINX_UWSGI, 'p99'),
    ...atMost(1.1, 'ratio'),
  },
  {
    text: 'a 1 KB file: to nginx as shipped',
    ...rate('file-1k', 'nginx'),
    ...atLeast(1.1, 'ratio'),
  },
  {
    text: 'a 1 KB file: to nginx with open_file_cache',
    ...rate('file-1k', 'nginx open_file_cache'),
    ...aimFor(1, 'ratio'),
  },
  {
    text: 'a fixed answer: to nginx',
    ...rate('fixed-answer', 'nginx'),
    ...atLeast(0.8, 'ratio'),
  },
  {
    text: 'a fixed answer over HTTP/2, ten streams a connection: to nginx',
    ...rate('http2-fixed', 'nginx'),
    ...atLeast(0.7, 'ratio'),
  },
  {
    text: '… one stream a connection: to nginx',
    ...rate('http2-one', 'nginx'),
    ...atLeast(0.7, 'ratio'),
  },
  {
    text: '… a 1 KB file: to nginx',
    ...rate('http2-file-1k', 'nginx'),
    ...atLeast(0.7, 'ratio'),
  },
  {
    text: 'proxying a small answer: to nginx',
    ...rate('proxy-small', 'nginx'),
    ...atLeast(0.8, 'ratio'),
  },
  {
    text: 'plain TCP, small round trips: to HAProxy',
    ...rate('tcp-small', 'HAProxy'),
    ...atLeast(0.8, 'ratio'),
  },
  {
    text: 'TLS, 32 keep-alive connections: to nginx',
    ...rate('tls-keep-alive', 'nginx'),
    ...atLeast(0.6, 'ratio'),
  },
  {
    text: '… a connection for each request: to nginx',
    ...rate('tls-handshakes', 'nginx'),
    ...aimFor(0.6, 'ratio'),
  },
  {
    text: 'proxying over a pool of three: to HAProxy',
    ...rate('proxy-pool', 'HAProxy'),
    ...atLeast(0.85, 'ratio'),
  },
  {
    text: '… to nginx',
    ...rate('proxy-pool', 'nginx'),
    ...atLeast(0.85, 'ratio'),
  },
  {
    text: '… p99: to HAProxy',
    measure: ratio('proxy-pool', 'HAProxy', 'p99'),
    ...atMost(1.2, 'ratio'),
  },
  {
    text: '… p99: to nginx',
    measure: ratio('proxy-pool', 'nginx', 'p99'),
    ...atMost(1.2, 'ratio'),
  },
  {
    text: '… with retries and servers left out: to nginx',
    ...rate('proxy-pool', 'nginx', 'Portico, with retries'),
    ...aimFor(0.85, 'ratio'),
  },
  {
    text: 'least-connections by two threads, spread of what upstreams have in hand: to nginx’s workers',
    measure: ratio('pool-spread', 'nginx', 'mean'),
    ...atMost(1, 'ratio'),
  },
  {
    text: '… over ten upstreams',
    measure: ratio('pool-spread-10', 'nginx', 'mean'),
    ...atMost(1, 'ratio'),
  },
  {
    text: 'over uwsgi behind the same nginx: to uWSGI',
    ...rate('uwsgi-in', NGINX_UWSGI, 'nginx + Portico'),
    ...atLeast(1.5, 'ratio'),
  },
  {
    text: 'PHP hello: to nginx + the same php-fpm',
    ...rate('php-hello', 'nginx + php-fpm'),
    ...atLeast(0.9, 'ratio'),
  },
  {
    text: 'CGI, launches/s of a program in C: to nginx + fcgiwrap',
    measure: ratio('cgi-c', NGINX_FCGIWRAP, 'rate'),
    ...atLeast(1, 'ratio'),
  },
  {
    text: '… of a shell script',
    measure: ratio('cgi-sh', NGINX_FCGIWRAP, 'rate'),
    ...atLeast(1, 'ratio'),
  },
  {
    text: 'a fetch handler, `run: threads`: to plain node:http',
    ...rate('node-fetch-hello', 'node:http'),
    ...atLeast(1.2, 'ratio'),
  },
  {
    text: 'a 1 GiB file, bytes/s: to nginx with sendfile',
    measure: ratio('file-1g', 'nginx', 'speed'),
    ...atLeast(1, 'ratio'),
  },
  {
    text: 'memory of an idle keep-alive connection',
    measure: own('idle-memory', 'each'),
    ...atMost(8192, 'bytes'),
  },
  {
    text: '`portico serve app:application` to the first answer',
    measure: own('start-time', 'first'),
    ...atMost(600, 'millis'),
  },
  {
    text: 'a killed worker’s place taken, to the next answer (Flask): to uWSGI',
    measure: ratio('respawn', 'uWSGI', 'wait'),
    ...aimFor(1, 'ratio'),
  },
  {
    text: '… to Gunicorn --preload',
    measure: ratio('respawn', 'Gunicorn --preload', 'wait'),
    ...aimFor(1, 'ratio'),
  },
  {
    text: 'an application that sleeps, from the request to its answer: to uWSGI --cheap --idle',
    measure: ratio('wake', 'uWSGI --cheap --idle', 'wait'),
    ...aimFor(1, 'ratio'),
  },
  {
    text: 'requests lost in 20 reloads under full load',
    measure: own('reload-loss', 'lost'),
    ...atMost(0, 'count'),
  },
  {
    text: 'requests lost when a worker is killed every 100 ms under load',
    measure: own('kill-loss', 'lost'),
    ...atMost(0, 'count'),
  },
  {
    text: '… answered with an error, for each worker killed with one request in its hands',
    measure: own('kill-loss', 'failedEach'),
    ...atMost(1, 'ratio'),
  },
  {
    text: '5,000 slow connections: p99 of a normal client, to its quiet value',
    measure: own('slow-clients', 'ratio'),
    ...atMost(3, 'ratio'),
  },
]
