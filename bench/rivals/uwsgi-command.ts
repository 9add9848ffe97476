/** uWSGI as both of its rivals start it. */
import { join } from 'node:path'
import { apt, versionOf } from '../harness/machine.ts'
import type { Command } from '../harness/rival.ts'

const APPS = join(import.meta.dirname, '../apps')

export function uwsgiVersion(): string {
  return versionOf(['uwsgi', '--version'], /\d\S+/, apt('uwsgi-core uwsgi-plugin-python3'))
}

export function uwsgi(module: string, workers: number, listen: readonly string[]): Command {
  return {
    argv: [
      'uwsgi',
      ...['--plugin', 'python3', ...listen, '--listen', '1024'],
      ...['--master', '--processes', String(workers), '--single-interpreter', '--need-app'],
      ...['--die-on-term', '--disable-logging', '--python-path', APPS],
      ...['--module', `${module}:application`],
    ],
  }
}
