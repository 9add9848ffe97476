/** `portico serve`: becomes the supervisor of a site. */
import type { Command } from 'commander'
import type { Overrides } from '../site/overrides.ts'
import { serveSite } from './serving.ts'

interface Flags {
  readonly listen?: readonly string[]
  readonly bind?: readonly string[]
  readonly workers?: string
  readonly threads?: string
  readonly serverThreads?: string
  readonly reload?: true
  readonly dev?: true
  readonly logFormat?: string
  readonly accessLog?: string
  readonly admin?: string
  readonly pid?: string
  readonly user?: string
  readonly group?: string
  readonly spool?: string
  readonly trusted?: readonly string[]
  readonly json?: true
}

const EXAMPLES = `
TARGET is a site file, a folder, module:callable, or a configuration of uWSGI or Gunicorn (app.ini,
gunicorn.conf.py); without one, the current folder. Flags go before what the site file says.

Examples:
  portico serve                               what this folder holds: Django, Flask, files, …
  portico serve shop.wsgi:application -w 4    a WSGI application with four workers
  portico serve public/ -b :8000              a folder of files on port 8000
  portico serve site.yaml --user www-data     as root: open ports, then drop to www-data
  portico serve app:app --reload --dev        while developing
  portico serve /etc/uwsgi/apps-enabled/shop.ini

Signals: HUP reloads, TERM, INT and QUIT stop gracefully (a second one at once), USR1 opens log
files anew.
`

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}

export function serveCommand(program: Command): void {
  program
    .command('serve')
    .description('serve a site until told to stop')
    .argument('[target]', 'site file, folder, or module:callable', '.')
    .option(
      '-l, --listen <address>',
      'where to listen, as :8080 or unix:/run/a.sock; repeatable',
      collect,
    )
    .option('-b, --bind <address>', 'the same as --listen', collect)
    .option('-w, --workers <count>', 'worker processes of each application, or auto')
    .option('--threads <count>', 'threads of each worker, for WSGI')
    .option('--server-threads <count>', 'threads that serve visitors, or auto')
    .option('--reload', 'reload when a file changes')
    .option('--dev', 'show tracebacks to visitors')
    .option('--access-log <where>', 'stdout, stderr, off, or a file')
    .option('--log-format <format>', 'of the access log: combined, json, or auto')
    .option('--admin <path>', 'where the admin socket is')
    .option('--pid <file>', 'write the process id there once ready')
    .option('-u, --user <user>', 'as root: who the server and the applications run as')
    .option('-g, --group <group>', 'as root: with which group')
    .option(
      '--trusted <network>',
      'whose fields about the visitor are believed: 10.0.0.0/8, unix; repeatable',
      collect,
    )
    .option('--spool <folder>', 'for request bodies too large for memory')
    .option('--json', "the supervisor's own log as JSON lines, on a terminal too")
    .addHelpText('after', EXAMPLES)
    .action(async (target: string, flags: Flags) => {
      process.exitCode = await serve(target, flags)
    })
}

async function serve(target: string, flags: Flags): Promise<number> {
  return serveSite(async () => {
    const { loadSite } = await import('../site/load.ts')
    return loadSite(target, overridesOf(flags))
  }, flags.json === true)
}

function overridesOf(flags: Flags): Overrides {
  const listen = [...(flags.listen ?? []), ...(flags.bind ?? [])]
  return {
    listen: listen.length === 0 ? undefined : listen,
    workers: flags.workers,
    threads: flags.threads,
    serverThreads: flags.serverThreads,
    watch: flags.reload,
    dev: flags.dev,
    logFormat: flags.logFormat,
    access: flags.accessLog,
    admin: flags.admin,
    pid: flags.pid,
    user: flags.user,
    group: flags.group,
    spool: flags.spool,
    trusted: flags.trusted,
  }
}
