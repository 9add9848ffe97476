/** Whether a file configures a uWSGI, by what is in it: its reader is only loaded for one that does. */
import { extname } from 'node:path'

export function looksLikeUwsgi(path: string, text: string): boolean {
  if (extname(path) === '.ini') return /^[ \t]*\[uwsgi\]/m.test(text)
  if (extname(path) === '.json') return /^\s*\{\s*"uwsgi"\s*:/.test(text)
  return /^["']?uwsgi["']?[ \t]*:[ \t]*(#.*)?$/m.test(text)
}
