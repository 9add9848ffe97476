/** Static files and CGI programs → `routes:`. */
import { existsSync } from 'node:fs'
import { showDuration } from '../../site/units.ts'
import type { Value } from '../tree-builder.ts'
import type { Draft } from './draft.ts'
import type { Option } from './option.ts'

const EXPIRES = [
  'static-expires',
  'static-expires-mtime',
  'static-expires-uri',
  'static-expires-uri-mtime',
  'static-expires-path-info',
  'static-expires-path-info-mtime',
  'static-expires-type',
  'static-expires-type-mtime',
]

export function composeRoutes(draft: Draft): void {
  staticRoutes(draft)
  cgiRoutes(draft)
}

function staticRoutes(draft: Draft): void {
  const index = draft.all('static-index').map(({ value }) => value)
  const seconds = draft
    .all(...EXPIRES)
    .map(({ value }) => Number(/(\d+)$/.exec(value)?.[1] ?? '0'))
    .filter((each) => each > 0)
  const more: Record<string, Value> = {}
  if (index.length > 0) more.index = index
  if (seconds.length > 0) more.cache = showDuration(Math.min(...seconds) * 1000)
  for (const option of draft.all('static-map', 'static-map2')) {
    const [path, folder] = split(draft, option, 'static-map = /static=/srv/static')
    if (path === '') continue
    const root = option.name === 'static-map2' ? `${folder}${path}` : folder
    // Before the first `collectstatic`, say. uWSGI starts all the same.
    if (!existsSync(draft.inFolder(root))) {
      draft.leave(
        option,
        'there is no such folder yet: the application answers there until a reload',
      )
      continue
    }
    draft.set(
      ['routes', path === '/' ? path : `${path}/`],
      { files: draft.inFolder(root), ...more },
      option,
    )
  }
}

function cgiRoutes(draft: Draft): void {
  const more: Record<string, Value> = {}
  const index = draft.all('cgi-index').map(({ value }) => value)
  if (index.length > 0) more.index = index
  const timeout = draft.count('cgi-timeout')
  if (timeout > 0) more.deadline = showDuration(timeout * 1000)
  for (const option of draft.all('cgi')) {
    const [path, root] = option.value.includes('=')
      ? split(draft, option, 'cgi = /cgi-bin=/usr/lib/cgi-bin')
      : ['/', option.value]
    if (path === '') continue
    draft.set(
      ['routes', path === '/' ? path : `${path}/`],
      { cgi: draft.inFolder(root), ...more },
      option,
    )
  }
}

/** `/path=folder`; the path comes without its last slash. */
function split(draft: Draft, option: Option, expected: string): readonly [string, string] {
  const equals = option.value.indexOf('=')
  const folder = equals < 0 ? '' : option.value.slice(equals + 1)
  if (folder === '') {
    draft.problem(option, 'no folder', { expected })
    return ['', '']
  }
  return [`/${option.value.slice(0, equals).replace(/^\/+|\/+$/g, '')}`, folder]
}
