/**
 * File names are bytes. Inside the files handler every path is a string with one latin-1 character a
 * byte, as the request line has it; it becomes what `node:fs` takes only here.
 */

/** Characters that are the same in latin-1 and UTF-8. */
const ASCII_ONLY = /^[\x01-\x7f]*$/

/** What `node:fs` opens: a Buffer where the name is not plain ASCII. */
export function nativePath(bytes: string): string | Buffer {
  return ASCII_ONLY.test(bytes) ? bytes : Buffer.from(bytes, 'latin1')
}

/** A path from the site file (text) as bytes, without a slash at its end. */
export function bytePath(text: string): string {
  const bytes = Buffer.from(text, 'utf8').toString('latin1')
  return bytes.length > 1 && bytes.endsWith('/') ? bytes.slice(0, -1) : bytes
}

/**
 * The path as it stands in a URL: everything percent-encoded but what RFC 3986 calls unreserved, the
 * harmless sub-delimiters and `/`. A backslash is encoded too, since browsers take it for a slash.
 */
export function encodePath(bytes: string): string {
  return bytes.replace(
    /[^A-Za-z0-9\-._~!$&'()*+,=:@/]/g,
    (byte) => '%' + byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0'),
  )
}
