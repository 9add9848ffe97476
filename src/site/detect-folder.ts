/** Applications of other languages than Python that a folder or a file may be. */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { isFile } from './detect-python.ts'
import { isReadable, stat } from './drawing.ts'
import type { SiteFile } from './settings.ts'

export interface Recognized {
  readonly settings: SiteFile
  readonly description: string
  /** The file or folder that decided it. */
  readonly reason: string
}

const APP = 'app'
/** What a package's `main` is where it does not say. */
const NODE_MAINS = ['server', 'app', 'index', 'main', 'src/server', 'src/app', 'src/index'].flatMap(
  (stem) => ['ts', 'mts', 'js', 'mjs', 'cjs'].map((end) => `${stem}.${end}`),
)
/** Where PHP applications have their document root, but for the folder itself. */
const PHP_ROOTS = ['public', 'web', 'htdocs', 'html', 'public_html']
/** Where PHP applications keep what visitors upload. */
const UPLOADS = ['wp-content/uploads/', 'uploads/', 'sites/default/files/']
const STARTERS =
  /^(?:NODE_ENV=\S+\s+)?(?:node|nodejs|tsx|ts-node|bun|deno run)\s+(?:-\S+\s+)*(\S+\.[cm]?[jt]s|\S+)\s*$/

/** The application in `folder`, or undefined. Frameworks of other languages come with a package.json. */
export function recognizeFolder(folder: string): Recognized | undefined {
  return (
    rack(folder) ??
    psgi(folder) ??
    php(folder, (root) => isFile(join(root, 'index.php'))) ??
    node(folder) ??
    // Served as files, scripts would show their source.
    php(folder, hasScripts) ??
    cgi(folder)
  )
}

/** The application that `file` is by its name's end, or undefined. */
export function recognizeFile(file: string): Recognized | undefined {
  if (file.endsWith('.ru')) return script('rack', file)
  if (file.endsWith('.psgi')) return script('psgi', file)
  if (/\.[cm]?[jt]s$/.test(file)) return nodeFile(file)
  return undefined
}

/** A program that is no site file: it makes none and imports nothing of ours. */
export function isNodeProgram(file: string): boolean {
  const text = readText(file)
  const isSite = /from\s+['"]portico['"]|\b(?:routes|hosts)\s*:/.test(text)
  return !isSite && /\bfetch\b|\blisten\s*\(|\bcreateServer\b|\(\s*req\b/.test(text)
}

function rack(folder: string): Recognized | undefined {
  const file = join(folder, 'config.ru')
  return isFile(file) ? script('rack', file) : undefined
}

function psgi(folder: string): Recognized | undefined {
  const file = join(folder, 'app.psgi')
  return isFile(file) ? script('psgi', file) : undefined
}

function script(kind: 'psgi' | 'rack', file: string): Recognized {
  const dir = dirname(file)
  const app = kind === 'psgi' ? { psgi: file, dir } : { rack: file, dir }
  const name = kind === 'psgi' ? 'PSGI' : 'Rack'
  return served(app, join(dir, 'public'), `${name} application ${basename(file)}`, file)
}

/** Its document root is the folder, or where frameworks and web servers have it. */
function php(folder: string, isRoot: (folder: string) => boolean): Recognized | undefined {
  for (const root of [folder, ...PHP_ROOTS.map((name) => join(folder, name))]) {
    if (!isRoot(root)) continue
    // What visitors upload must never be a program.
    const uploads = UPLOADS.filter((each) => stat(join(root, each))?.isDirectory() === true)
    const programs = [join(folder, 'cgi-bin'), join(root, 'cgi-bin')].find(isFolder)
    const settings: SiteFile = {
      apps: { [APP]: { php: root, 'no-scripts': uploads } },
      routes: {
        ...(programs === undefined ? {} : { '/cgi-bin/': { cgi: programs } }),
        '/': { app: APP },
      },
    }
    const more = programs === undefined ? '' : `, with the CGI programs of ${programs}`
    return { settings, description: `PHP application in ${root}${more}`, reason: root }
  }
  return undefined
}

function hasScripts(folder: string): boolean {
  return isFolder(folder) && readdirSync(folder).some((name) => name.endsWith('.php'))
}

function isFolder(path: string): boolean {
  return stat(path)?.isDirectory() === true && isReadable(path)
}

/** A package that says how it is started, or has a main module as packages do. */
function node(folder: string): Recognized | undefined {
  const file = join(folder, 'package.json')
  if (!isFile(file)) return undefined
  const start = STARTERS.exec(textIn(file, 'scripts', 'start'))?.[1] ?? ''
  const named = [start, textIn(file, 'main')]
    .filter(Boolean)
    .flatMap((each) => [each, `${each}.js`])
  const main = [...named, ...NODE_MAINS].map((each) => join(folder, each)).find(isFile)
  return main === undefined || !(start !== '' || isNodeProgram(main)) ? undefined : nodeFile(main)
}

function nodeFile(file: string): Recognized {
  return served({ node: file }, join(dirname(file), 'public'), `Node application ${file}`, file)
}

function cgi(folder: string): Recognized | undefined {
  const programs = join(folder, 'cgi-bin')
  if (stat(programs)?.isDirectory() !== true) return undefined
  const root = ['htdocs', 'public', 'html']
    .map((name) => join(folder, name))
    .find((each) => stat(each)?.isDirectory())
  const files = root ?? (isFile(join(folder, 'index.html')) ? folder : undefined)
  const settings: SiteFile = {
    routes: {
      '/cgi-bin/': { cgi: programs },
      ...(files === undefined ? {} : { '/': { files } }),
    },
  }
  const more = files === undefined ? '' : `, with the files of ${files}`
  return { settings, description: `CGI programs of ${programs}${more}`, reason: programs }
}

/** With the static files beside it, which such applications seldom serve themselves. */
function served(
  app: NonNullable<SiteFile['apps']>[string],
  files: string,
  description: string,
  reason: string,
): Recognized {
  const has = stat(files)?.isDirectory() === true && isReadable(files)
  const below = has ? { [`/${relative(dirname(files), files)}/`]: { files } } : {}
  return {
    settings: { apps: { [APP]: app }, routes: { ...below, '/': { app: APP } } },
    description: description + (has ? `, with the files of ${files} below /public/` : ''),
    reason,
  }
}

/** The text at `path` in a JSON file, or ''. */
function textIn(file: string, ...path: readonly string[]): string {
  try {
    const found = path.reduce<unknown>(
      (value, key) => (value as Record<string, unknown> | undefined)?.[key],
      JSON.parse(readText(file)),
    )
    return typeof found === 'string' ? found : ''
  } catch {
    return ''
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
