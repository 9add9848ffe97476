/** How many workers, how long they live, how long they may take. */
import { showDuration, showSize } from '../../../site/units.ts'
import type { Draft } from '../draft.ts'
import type { Option } from '../option.ts'
import { type Declaration, mapped, needless, unsupported } from '../rule.ts'

const MB = 1024 ** 2

function memory(draft: Draft, option: Option, key: string): void {
  const megabytes = draft.number(option)
  if (megabytes > 0) draft.setApp(['recycle', key], showSize(megabytes * MB), option)
}

export const processes: readonly Declaration[] = [
  mapped('processes workers', 'apps.NAME.workers'),
  mapped('threads', 'apps.NAME.threads'),
  mapped(
    'cheaper cheap idle cheaper-algo cheaper-step cheaper-overload',
    'apps.NAME.workers (min, max, spare, by, every, idle)',
  ),
  mapped('cheaper-rss-limit-soft cheaper-rss-limit-hard', 'apps.NAME.workers.memory'),
  mapped('harakiri', 'apps.NAME.deadline'),
  mapped('lazy lazy-apps', 'apps.NAME.lazy', (draft, option) => {
    if (draft.isOn(option.name)) draft.setApp(['lazy'], true, option)
  }),
  mapped('need-app', 'need-app', (draft, option) => {
    if (draft.isOn('need-app')) draft.set(['need-app'], true, option)
  }),
  mapped('max-requests', 'apps.NAME.recycle.requests', (draft, option) => {
    const count = draft.number(option)
    if (count > 0) draft.setApp(['recycle', 'requests'], count, option)
  }),
  mapped('max-worker-lifetime', 'apps.NAME.recycle.age', (draft, option) => {
    const seconds = draft.number(option)
    if (seconds > 0) draft.setApp(['recycle', 'age'], showDuration(seconds * 1000), option)
  }),
  mapped('max-requests-delta max-worker-lifetime-delta', 'apps.NAME.recycle.jitter'),
  mapped('reload-on-rss evil-reload-on-rss', 'apps.NAME.recycle.memory', (draft, option) =>
    memory(draft, option, 'memory'),
  ),
  mapped('reload-on-as evil-reload-on-as', 'apps.NAME.recycle.address-space', (draft, option) =>
    memory(draft, option, 'address-space'),
  ),
  mapped('limit-nproc', 'apps.NAME.limits.pids', (draft, option) =>
    draft.setApp(['limits', 'pids'], draft.number(option), option),
  ),
  mapped('env', 'apps.NAME.env', (draft, option) => {
    const equals = option.value.indexOf('=')
    if (equals < 1) draft.problem(option, 'no value', { expected: 'env = NAME=value' })
    else {
      const name = option.value.slice(0, equals)
      draft.setApp(['env', name], option.value.slice(equals + 1), option)
    }
  }),
  needless('master master-as-root reaper', 'the supervisor is always there, and reaps'),
  needless('vacuum', 'sockets and the pid file are always removed'),
  needless('harakiri-verbose', 'at the deadline the stack is always logged'),
  needless(
    'harakiri-no-arh no-harakiri-arh no-harakiri-after-req-hook harakiri-graceful-timeout harakiri-graceful-signal',
    'the deadline is that of the beginning of the answer',
  ),
  needless(
    'exit-on-reload no-threads-wait skip-atexit skip-atexit-teardown mem-collector-freq min-worker-lifetime forkbomb-delay check-interval',
    'workers finish what they have in hand, and those that die young come back ever more slowly',
  ),
  needless(
    'drop-after-init drop-after-apps refork* re-fork* jailed',
    'sockets are opened by the supervisor, and everything else runs as the user',
  ),
  needless(
    'ignore-sigpipe ignore-write-errors write-errors-tolerance write-errors-exception-only disable-write-exception',
    'a visitor who leaves is no error of the application',
  ),
  needless(
    'auto-procname procname procname-prefix procname-prefix-spaced procname-append procname-master',
    '`portico status` names every process',
  ),
  needless(
    'cheaper-algo-list cheaper-algos-list cheaper-list cheaper-busyness-verbose memory-report',
    '`portico status` shows it',
  ),
  mapped(
    'cheaper-busyness-max cheaper-busyness-min cheaper-busyness-multiplier cheaper-busyness-penalty cheaper-busyness-backlog-alert cheaper-busyness-backlog-multiplier cheaper-busyness-backlog-step',
    'apps.NAME.workers.busyness',
  ),
  needless('cheaper-busyness-backlog-nonzero cheaper-initial', 'measured while it runs'),
  needless(
    'ftok persistent-ipcsem lock-engine locks skip-zero backtrace-depth use-abort die-on-idle',
    'nothing here needs it',
  ),
  unsupported(
    'harakiri-queue-threshold',
    'use deadline: { queue: … }: a request that waited too long is refused',
  ),
  unsupported(
    'limit-as',
    'use limits: { memory: … } for all processes together, or recycle: { address-space: … }',
  ),
  unsupported('catch-exceptions', 'use --dev: tracebacks to visitors are for development'),
  unsupported(
    'reload-on-exception reload-on-exception-type reload-on-exception-value reload-on-exception-repr exception-handler',
    'a worker that raised goes on; let the application exit where its state is broken',
  ),
  unsupported(
    'prio cpu-affinity never-swap ksm',
    'use the service manager: Nice=, CPUAffinity=, MemorySwapMax=',
  ),
  unsupported('reload-on-fd brutal-reload-on-fd', 'use watch: { files: …, reload: true }'),
  unsupported('worker-exec worker-exec2', 'use daemons: { NAME: { run: … } }'),
  unsupported(
    'unenv',
    'applications get the environment Portico was started with: start it without the variable',
  ),
  unsupported('envdir early-envdir', 'use env-file: a file of NAME=value lines'),
  unsupported('file-write', 'write it before the start (ExecStartPre=)'),
  unsupported('mode', 'nothing reads it here: use env'),
]
