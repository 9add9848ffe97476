/**
 * Media types by file name: what the web uses, from the IANA registry. Anything else is
 * `application/octet-stream`, which a browser downloads and never runs.
 */

const UTF8 = '; charset=utf-8'

const types: ReadonlyMap<string, string> = new Map([
  // Text is served as UTF-8.
  ['html', `text/html${UTF8}`],
  ['htm', `text/html${UTF8}`],
  ['css', `text/css${UTF8}`],
  ['js', `text/javascript${UTF8}`],
  ['mjs', `text/javascript${UTF8}`],
  ['txt', `text/plain${UTF8}`],
  ['text', `text/plain${UTF8}`],
  ['log', `text/plain${UTF8}`],
  ['md', `text/markdown${UTF8}`],
  ['csv', `text/csv${UTF8}`],
  ['tsv', `text/tab-separated-values${UTF8}`],
  ['ics', `text/calendar${UTF8}`],
  ['vcf', `text/vcard${UTF8}`],
  ['vtt', `text/vtt${UTF8}`],
  ['yaml', `application/yaml${UTF8}`],
  ['yml', `application/yaml${UTF8}`],
  ['xml', `text/xml${UTF8}`],
  ['xsl', `text/xml${UTF8}`],
  // These define their own encoding.
  ['json', 'application/json'],
  ['map', 'application/json'],
  ['jsonld', 'application/ld+json'],
  ['geojson', 'application/geo+json'],
  ['webmanifest', 'application/manifest+json'],
  ['xhtml', 'application/xhtml+xml'],
  ['rss', 'application/rss+xml'],
  ['atom', 'application/atom+xml'],
  ['wasm', 'application/wasm'],
  ['pdf', 'application/pdf'],
  ['rtf', 'application/rtf'],
  ['epub', 'application/epub+zip'],
  // Images.
  ['svg', 'image/svg+xml'],
  ['png', 'image/png'],
  ['apng', 'image/apng'],
  ['jpg', 'image/jpeg'],
  ['jpeg', 'image/jpeg'],
  ['gif', 'image/gif'],
  ['webp', 'image/webp'],
  ['avif', 'image/avif'],
  ['jxl', 'image/jxl'],
  ['heic', 'image/heic'],
  ['bmp', 'image/bmp'],
  ['tif', 'image/tiff'],
  ['tiff', 'image/tiff'],
  ['ico', 'image/vnd.microsoft.icon'],
  // Sound and moving images.
  ['mp3', 'audio/mpeg'],
  ['m4a', 'audio/mp4'],
  ['aac', 'audio/aac'],
  ['ogg', 'audio/ogg'],
  ['oga', 'audio/ogg'],
  ['opus', 'audio/ogg'],
  ['wav', 'audio/wav'],
  ['flac', 'audio/flac'],
  ['mid', 'audio/midi'],
  ['midi', 'audio/midi'],
  ['weba', 'audio/webm'],
  ['mp4', 'video/mp4'],
  ['m4v', 'video/mp4'],
  ['webm', 'video/webm'],
  ['ogv', 'video/ogg'],
  ['mov', 'video/quicktime'],
  ['mpeg', 'video/mpeg'],
  ['mpg', 'video/mpeg'],
  ['avi', 'video/x-msvideo'],
  ['mkv', 'video/matroska'],
  ['m3u8', 'application/vnd.apple.mpegurl'],
  ['mpd', 'application/dash+xml'],
  ['ts', 'video/mp2t'],
  // Fonts.
  ['woff2', 'font/woff2'],
  ['woff', 'font/woff'],
  ['ttf', 'font/ttf'],
  ['otf', 'font/otf'],
  ['ttc', 'font/collection'],
  ['eot', 'application/vnd.ms-fontobject'],
  // Archives and documents.
  ['zip', 'application/zip'],
  ['gz', 'application/gzip'],
  ['tgz', 'application/gzip'],
  ['zst', 'application/zstd'],
  ['bz2', 'application/x-bzip2'],
  ['xz', 'application/x-xz'],
  ['7z', 'application/x-7z-compressed'],
  ['tar', 'application/x-tar'],
  ['jar', 'application/java-archive'],
  ['doc', 'application/msword'],
  ['docx', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'],
  ['xls', 'application/vnd.ms-excel'],
  ['xlsx', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'],
  ['ppt', 'application/vnd.ms-powerpoint'],
  ['pptx', 'application/vnd.openxmlformats-officedocument.presentationml.presentation'],
  ['odt', 'application/vnd.oasis.opendocument.text'],
  ['ods', 'application/vnd.oasis.opendocument.spreadsheet'],
  ['odp', 'application/vnd.oasis.opendocument.presentation'],
  ['gltf', 'model/gltf+json'],
  ['glb', 'model/gltf-binary'],
])

/** The media type of a file by what follows the last `.` of its name, in any case. */
export function mediaType(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const dot = name.lastIndexOf('.')
  const known = dot < 0 ? undefined : types.get(name.slice(dot + 1).toLowerCase())
  return known ?? 'application/octet-stream'
}
