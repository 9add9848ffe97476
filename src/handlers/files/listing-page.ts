/** The page that shows a folder: readable on a phone, in the dark, and without scripts. Pure. */
import { escapeHtml } from '../../request/error-page.ts'

export interface ListedEntry {
  /** For people. */
  readonly name: string
  /** Percent-encoded. */
  readonly href: string
  readonly isFolder: boolean
  /** Bytes. */
  readonly size: number
  /** Seconds since 1970. */
  readonly modified: number
}

const STYLE = `:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.25rem;font-weight:500;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}
td,th{padding:.35rem .5rem;text-align:left;border-bottom:1px solid #8884;font-weight:400}
th{font-size:.85rem;opacity:.7}
td:first-child{overflow-wrap:anywhere}
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
a{text-decoration:none}a:hover{text-decoration:underline}
@media(max-width:36rem){.d{display:none}}`

/** `complete`: all entries are there. `path` is for people. */
export function listingPage(
  path: string,
  entries: readonly ListedEntry[],
  complete: boolean,
): string {
  const title = escapeHtml(path)
  const up = /^\/+$/.test(path)
    ? ''
    : '<tr><td><a href="../">../</a><td class="n"><td class="n d">\n'
  const note = complete ? '' : `<p>Only the first ${entries.length} entries found are shown.</p>\n`
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>${STYLE}</style>
<h1>${title}</h1>
<table>
<tr><th>Name<th class="n">Size<th class="n d">Modified (UTC)
${up}${entries.map(row).join('')}</table>
${note}</html>
`
}

function row(entry: ListedEntry): string {
  const slash = entry.isFolder ? '/' : ''
  // `./` keeps a colon in a name from being taken for a scheme.
  const link = `<a href="./${escapeHtml(entry.href)}${slash}">${escapeHtml(entry.name)}${slash}</a>`
  const size = entry.isFolder
    ? ''
    : `<span title="${entry.size} bytes">${readable(entry.size)}</span>`
  return `<tr><td>${link}<td class="n">${size}<td class="n d">${date(entry.modified)}\n`
}

function date(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ')
}

/** A size for people: `999 B`, `1.5 KB`, `20 MB`; powers of 1024. */
export function readable(bytes: number): string {
  let size = bytes
  let unit = 0
  while (size >= 1023.5 && unit < UNITS.length - 1) {
    size /= 1024
    unit++
  }
  return `${unit === 0 || size >= 9.95 ? Math.round(size) : size.toFixed(1)} ${UNITS[unit]}`
}

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB']
