/** A PHP site in a scenario: the whole real Portico with the machine's php-fpm or php-cgi. */
import { chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { APPS, type Options, Portico } from './portico.ts'

const root = process.getuid?.() === 0

/** Scripts never run as root. */
export const USER: string = root ? 'user: www-data\n' : ''

/** The script that answers whatever a scenario asks. */
export const CONTRACT: string = readFileSync(join(APPS, 'contract.php'), 'utf8')

export interface PhpSettings {
  /** Settings of the application, as in a site file. */
  readonly app?: string
  /** More of the site file. */
  readonly site?: string
  readonly threads?: number
}

export function phpSite({ app = '', site = USER, threads = 2 }: PhpSettings = {}): string {
  return `
listen: "127.0.0.1:0"
threads: ${threads}
${site}
routes:
  /: { app: blog }
  /blog/: { app: blog }
apps:
  blog:
    php: ./www
${app.includes('workers:') ? '' : '    workers: 2\n'}${app.replace(/^(?=.)/gm, '    ')}
`
}

/** Serves the files, which are below `www`, and waits until PHP answers. */
export async function servePhp(
  files: Readonly<Record<string, string | Uint8Array>>,
  settings: PhpSettings = {},
  options: Options = {},
): Promise<Portico> {
  const portico = new Portico({ 'site.yaml': phpSite(settings), ...files }, options)
  try {
    // The user that PHP runs as must find its scripts.
    chmodSync(portico.folder, 0o755)
    await portico.ready()
    await portico.settled()
    return portico
  } catch (error) {
    await portico[Symbol.asyncDispose]()
    throw error
  }
}
