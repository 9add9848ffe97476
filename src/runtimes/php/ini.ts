/** Settings of php.ini, and the same grammar in php-fpm's own configuration. Pure. */
import type { PhpAppPlan } from '../../site/plan.ts'
import type { ServicePlace } from '../service.ts'

/** Names and numbers, and expressions of constants such as `E_ALL & ~E_DEPRECATED`. */
const PLAIN = /^(?:[A-Za-z0-9_.+-]+|~?[A-Z_]+(?: *[&|^] *~?[A-Z_]+)*)$/

/**
 * A value as the grammar wants it: as it is where PHP shall evaluate it, else in quotes. In single
 * quotes nothing has a meaning; in double quotes, which only a value with a single one needs, `${…}`
 * would be a variable.
 */
export function iniValue(text: string): string {
  if (PLAIN.test(text)) return text
  if (!text.includes("'")) return `'${text}'`
  if (text.includes('${')) throw new Error(`php.ini cannot hold both ' and \${ in a value: ${text}`)
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

/**
 * The file that PHP reads after its own php.ini. The application's settings go before our defaults, and
 * behind what has to be so:
 *
 * - What PHP logs goes to stderr, where it is the supervisor's, not over the visitor's connection.
 * - PATH_INFO is split by us, and SCRIPT_FILENAME is a file that is there: nothing is left to be fixed.
 *   But with `cgi.fix_pathinfo=0` PHP makes PHP_SELF of PATH_INFO alone, so that forms that post to it
 *   go nowhere, and would run PATH_TRANSLATED. php-fpm runs nothing but `.php` in any case.
 */
export function iniFile(
  app: PhpAppPlan,
  { dev, watch }: Pick<ServicePlace, 'dev' | 'watch'>,
): string {
  const settings: Record<string, string> = {
    'opcache.enable': '1',
    expose_php: '0',
    log_errors: '1',
    display_errors: dev ? '1' : '0',
    // What was edited is to be seen at once; else after two seconds, as PHP has it.
    ...(dev || watch ? { 'opcache.revalidate_freq': '0' } : {}),
    ...app.ini,
    'cgi.fix_pathinfo': '1',
    'cgi.discard_path': '0',
    'fastcgi.logging': '0',
  }
  return lines(settings)
}

/** `name = value` lines. */
export function lines(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} = ${iniValue(value)}\n`)
    .join('')
}
