/** How to run a PHP application: its own php-fpm, else its own php-cgi. */
import { join } from 'node:path'
import type { PhpAppPlan } from '../../site/plan.ts'
import { wholeEnvironment } from '../environment.ts'
import type { WorkerCommand } from '../runtime.ts'
import type { Service, ServicePlace, ServiceRuntime } from '../service.ts'
import { findPhp, type Php, programName } from './find.ts'
import { fpmConfig, SLOW_LOG } from './fpm-config.ts'
import { iniFile } from './ini.ts'
import { readFpm, readPhp } from './log.ts'

/** As in php-fpm: what extensions leak does not add up for ever. */
const REQUESTS_EACH = 10_000

/** FCGI_GET_VALUES with nothing asked for (FastCGI 1.0 §4.1), and the type of its answer. */
const QUESTION = Uint8Array.of(1, 9, 0, 0, 0, 0, 0, 0)
const ANSWER_TYPE = 10

export const php: ServiceRuntime = {
  name: 'php',
  async prepare(app, place): Promise<Service> {
    if (app.kind !== 'php') throw new Error(`app ${app.name}: not a PHP application`)
    const found = await findPhp(app)
    const common = {
      version: `PHP ${found.version} (${programName(found)})`,
      question: QUESTION,
      isAnswer: (bytes: Uint8Array): boolean => bytes[0] === 1 && bytes[1] === ANSWER_TYPE,
    }
    return found.kind === 'fpm'
      ? { ...common, ...fpm(app, place, found) }
      : { ...common, ...cgi(app, place, found) }
  },
}

type Particular = Omit<Service, 'version' | 'question' | 'isAnswer'>

function fpm(app: PhpAppPlan, place: ServicePlace, { file }: Php): Particular {
  const config = join(place.folder, 'php-fpm.conf')
  return {
    command: {
      file,
      // In the foreground, its log on stderr.
      args: ['-F', '-O', '-y', config],
      env: {
        ...environment(app, place),
        // How php-fpm hands sockets to its successor (fpm_sockets.c).
        ...(place.inherits ? { FPM_SOCKETS: `${place.socket}=3` } : {}),
      },
      cwd: app.dir,
    },
    listensOnStdin: false,
    files: {
      'php-fpm.conf': fpmConfig(app, place),
      'portico.ini': iniFile(app, place),
    },
    stopSignal: 'SIGQUIT',
    traces: place.slowMs === 0 ? '' : join(place.folder, SLOW_LOG),
    read: readFpm,
  }
}

function cgi(app: PhpAppPlan, place: ServicePlace, { file }: Php): Particular {
  if (place.becomes !== '') {
    throw new Error(
      `${file} cannot change its user, and PHP is not run as root: set \`user:\`, or install php-fpm`,
    )
  }
  if (app.scale !== undefined) {
    throw new Error(
      `${file} always has as many workers: give \`workers:\` as a number, or install php-fpm`,
    )
  }
  const command: WorkerCommand = {
    file,
    args: place.inherits ? [] : ['-b', place.socket],
    env: {
      ...environment(app, place),
      PHP_FCGI_CHILDREN: String(app.workers),
      PHP_FCGI_MAX_REQUESTS: String(app.recycle?.requests || REQUESTS_EACH),
      PHP_FCGI_BACKLOG: String(place.backlog),
    },
    cwd: app.dir,
  }
  // It has no timeouts of its own. This one counts the processor's time; who waits, waits.
  const seconds = String(Math.ceil(app.deadlineMs / 1000))
  const limited: PhpAppPlan = {
    ...app,
    ini: { ...(app.deadlineMs === 0 ? {} : { max_execution_time: seconds }), ...app.ini },
  }
  return {
    command,
    listensOnStdin: true,
    files: { 'portico.ini': iniFile(limited, place) },
    stopSignal: 'SIGTERM',
    traces: '',
    read: (line) => readPhp(line, 0),
  }
}

/** The supervisor's environment and the application's own; PHP reads our settings after its php.ini. */
function environment(app: PhpAppPlan, place: ServicePlace): Record<string, string> {
  const env = wholeEnvironment(app)
  // An empty name is the folder that PHP was built with.
  env.PHP_INI_SCAN_DIR = `${env.PHP_INI_SCAN_DIR ?? ''}:${place.folder}`
  return env
}
