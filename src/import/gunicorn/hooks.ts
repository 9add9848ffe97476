/** Gunicorn's server hooks: which run here, in which process, and why others do not. */

export interface Hook {
  readonly name: string
  readonly runs: boolean
  /** Where and when it runs; or why it does not, and what does the same. */
  readonly sentence: string
}

function runs(name: string, sentence: string): Hook {
  return { name, runs: true, sentence }
}

function not(name: string, sentence: string): Hook {
  return { name, runs: false, sentence }
}

export const HOOKS: readonly Hook[] = [
  runs('on_starting', 'in the warm parent, before the application is imported'),
  runs('when_ready', 'in the warm parent, when the application is imported'),
  runs('pre_fork', 'in the warm parent, before a worker is forked'),
  runs('post_fork', 'in the worker, right after the fork'),
  runs('post_worker_init', 'in the worker, before its first request'),
  runs('worker_int', 'in the worker, when it gets INT or QUIT'),
  runs('worker_abort', 'in the worker, when it gets ABRT, as at the deadline'),
  runs('pre_request', 'in the worker, before each request (WSGI)'),
  runs('post_request', 'in the worker, after each request (WSGI)'),
  runs('worker_exit', 'in the worker, at its end'),
  runs('child_exit', 'in the warm parent, when a worker has ended'),
  runs('on_exit', 'in the warm parent, at its end'),
  not('on_reload', 'a reload starts a new warm parent: on_starting runs in that'),
  not(
    'pre_exec',
    'nothing is executed in place of a master: a new version is a restart of the service',
  ),
  not(
    'nworkers_changed',
    'the supervisor, which is no Python, minds the number; pre_fork and child_exit tell',
  ),
  not('ssl_context', 'TLS ends in the server, which is no Python: use tls: in a site file'),
]
