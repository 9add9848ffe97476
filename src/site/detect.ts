/** What a target of the command line is: a site file, a folder of something, or `module:callable`. */
import { readdirSync } from 'node:fs'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { isNodeProgram, type Recognized, recognizeFile, recognizeFolder } from './detect-folder.ts'
import {
  djangoModule,
  inspectPython,
  isFile,
  moduleFile,
  modulesIn,
  packagedModule,
  readText,
} from './detect-python.ts'
import { stat } from './drawing.ts'
import { looksLikeUwsgi } from './looks-like-uwsgi.ts'
import { nearest } from './nearest.ts'
import { quote, SiteError } from './problem.ts'
import type { SiteFile } from './settings.ts'

export type Detected =
  | { readonly kind: 'file'; readonly file: string; readonly description: string }
  | {
      readonly kind: 'uwsgi' | 'gunicorn'
      /** As it was named, with `:section` where one was. */
      readonly target: string
      readonly file: string
      readonly description: string
      readonly identity: string
    }
  | {
      readonly kind: 'settings'
      /** What a site file for this target would hold. */
      readonly settings: SiteFile
      readonly description: string
      /** The file or folder that decided it. */
      readonly reason: string
      /** What paths in the settings are relative to. */
      readonly base: string
      readonly identity: string
    }

const SITE_FILES = ['site', 'portico'].flatMap((stem) =>
  ['yaml', 'yml', 'ts', 'mts', 'js', 'mjs', 'json'].map((end) => `${stem}.${end}`),
)
const SITE_ENDS = ['.yaml', '.yml', '.json', '.ts', '.mts', '.js', '.mjs']
const MODULE = /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:.*)?$/
const CALLABLE = /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(\(.*\))?$/

/** Throws SiteError, saying what was looked for, when nothing fits. */
export function detect(target: string, cwd: string): Detected {
  const path = resolve(cwd, target)
  const found = stat(path)
  const uwsgi = detectUwsgi(target, path, found?.isFile() === true)
  if (uwsgi !== undefined) return uwsgi
  if (found?.isDirectory() === true) return detectFolder(path)
  if (found?.isFile() === true) return detectFile(path)
  if (found !== undefined) fail(path, 'neither a file nor a folder')
  const [, file = ''] = /^(.*\.py):.*$/.exec(target) ?? []
  if (file !== '' && isFile(resolve(cwd, file))) {
    const named = quote(target.replace('.py:', ':').replaceAll('/', '.'))
    fail(path, 'a module is named without .py', named)
  }
  // `site.yaml` would do as the name of a module; who writes it means the file.
  const meansFile = [...SITE_ENDS, '.py'].includes(extname(target))
  if (MODULE.test(target) && !meansFile) return detectModule(target, cwd)
  const meant = nearest(basename(path), namesIn(dirname(path)))
  fail(path, 'no such file or folder', 'a site file, a folder, or module:callable', meant)
}

/** A uWSGI configuration, by its name or by what is in it; `app.ini:section` names a section of one. */
function detectUwsgi(target: string, path: string, isThere: boolean): Detected | undefined {
  const [, file = '', section = ''] = isThere
    ? ['', path]
    : (/^(.*\.(?:ini|ya?ml|json)):([^/]+)$/.exec(path) ?? [])
  if (file === '' || !/\.(ini|ya?ml|json)$/.test(file) || !isFile(file)) return undefined
  if (section === '' && !looksLikeUwsgi(file, readText(file))) return undefined
  const what = section === '' ? file : `${file}, section ${section}`
  const description = `uWSGI configuration ${what}`
  return { kind: 'uwsgi', target, file, description, identity: file }
}

function detectFile(file: string): Detected {
  if (/^gunicorn[\w.-]*\.py$/.test(basename(file))) {
    const description = `Gunicorn configuration ${file}`
    return { kind: 'gunicorn', target: file, file, description, identity: file }
  }
  const isSite = SITE_ENDS.includes(extname(file)) && (isSiteFile(file) || !isNodeProgram(file))
  const found = isSite ? undefined : recognizeFile(file)
  if (found !== undefined) return recognized(found, dirname(file), file)
  if (isSite) {
    return { kind: 'file', file, description: `site file ${file}` }
  }
  if (extname(file) === '.py') {
    const dir = dirname(file)
    const module = basename(file, '.py')
    if (/^[A-Za-z_]\w*$/.test(module)) return detectModule(module, dir)
  }
  const expected = file.endsWith('.php')
    ? 'the folder of the PHP application'
    : 'a name that ends in .yaml, .json, .ts, .js, .psgi, .ru or .py'
  fail(file, 'this is no site file', expected)
}

function isSiteFile(file: string): boolean {
  return SITE_FILES.includes(basename(file)) || !/\.[cm]?[jt]s$/.test(file)
}

/** As Gunicorn takes it: `module:callable`, or `module` alone. */
function detectModule(target: string, dir: string): Detected {
  const colon = target.indexOf(':')
  const module = colon < 0 ? target : target.slice(0, colon)
  const file = moduleFile(dir, module)
  const reason = file === '' ? dir : file
  if (file === '' && stat(join(dir, module.split('.')[0] ?? '')) === undefined) {
    const meant = nearest(module, modulesIn(dir))
    // It may be installed in the virtual environment; a name that is nearly right is not.
    if (meant !== '') fail(dir, `no module ${quote(module)} here`, '', meant)
  }
  const inside = file === '' ? undefined : inspectPython(file)
  const callable = colon < 0 ? inside?.callable || 'application' : target.slice(colon + 1)
  if (!CALLABLE.test(callable)) {
    fail(
      reason,
      `${quote(callable)} is not the name of a callable`,
      'module:callable, or module:factory()',
    )
  }
  const name = `${module}:${callable}`
  const what = `${interfaceOf(module, inside?.asgi === true)} application ${name}`
  return python(dir, name, what, reason, join(dir, name))
}

/** As far as it can be seen from outside: the worker asks the callable. */
function interfaceOf(module: string, asgi: boolean): string {
  if (asgi || module.endsWith('asgi')) return 'ASGI'
  return module.endsWith('wsgi') ? 'WSGI' : 'Python'
}

function detectFolder(folder: string): Detected {
  const site = SITE_FILES.map((name) => join(folder, name)).find(isFile)
  if (site !== undefined) return detectFile(site)
  const here = (name: string): string => join(folder, name)
  if (isFile(here('manage.py'))) {
    const module =
      djangoModule(here('manage.py'), 'wsgi') || djangoModule(here('manage.py'), 'asgi')
    if (module === '') {
      fail(here('manage.py'), 'this Django project has no wsgi.py', 'a wsgi.py beside its settings')
    }
    const name = `${module}:application`
    return python(folder, name, `Django project: ${name}`, here('manage.py'), folder)
  }
  for (const stem of ['wsgi', 'app', 'main', 'application', 'asgi']) {
    const file = here(`${stem}.py`)
    if (!isFile(file)) continue
    if (inspectPython(file).callable === '' && !stem.endsWith('sgi')) continue
    return pythonModule(folder, stem, file)
  }
  const packaged = packagedModule(folder, 'wsgi') || packagedModule(folder, 'asgi')
  if (packaged !== '') return pythonModule(folder, packaged, moduleFile(folder, packaged))
  const found = recognizeFolder(folder)
  return found === undefined ? detectFiles(folder) : recognized(found, folder, folder)
}

function pythonModule(folder: string, module: string, file: string): Detected {
  const { callable, asgi } = inspectPython(file)
  const name = `${module}:${callable || 'application'}`
  return python(folder, name, `${interfaceOf(module, asgi)} application ${name}`, file, folder)
}

function recognized(found: Recognized, base: string, identity: string): Detected {
  return { kind: 'settings', ...found, base, identity }
}

function detectFiles(folder: string): Detected {
  const root = isFile(join(folder, 'index.html')) ? folder : publicFolder(folder)
  // A program whose beginning was not found must not be shown as files: they are its source.
  if (root === '' && isFile(join(folder, 'package.json'))) {
    const expected = `portico serve ${join(folder, 'server.js')}, or "main" or "scripts": { "start" } in package.json`
    fail(
      join(folder, 'package.json'),
      'a Node package, and no program in it is recognized',
      expected,
    )
  }
  const served = root === '' ? folder : root
  const list = root === ''
  return {
    kind: 'settings',
    settings: { routes: { '/': { files: served, list } } },
    description: `files of ${served}`,
    reason: served,
    base: folder,
    identity: folder,
  }
}

function publicFolder(folder: string): string {
  const inside = join(folder, 'public')
  return isFile(join(inside, 'index.html')) ? inside : ''
}

function python(
  dir: string,
  name: string,
  description: string,
  reason: string,
  identity: string,
): Detected {
  // Django serves none itself but has its own idea of where they are collected.
  const folders = description.startsWith('Django') ? ['staticfiles'] : ['static', 'public']
  const files = folders.map((each) => join(dir, each)).find((each) => stat(each)?.isDirectory())
  const settings: SiteFile = {
    apps: { [APP]: { python: name, dir } },
    routes: { ...(files === undefined ? {} : { '/static/': { files } }), '/': { app: APP } },
  }
  const extra = files === undefined ? '' : `, with the files of ${files} below /static/`
  return {
    kind: 'settings',
    settings,
    description: description + extra,
    reason,
    base: dir,
    identity,
  }
}

/** The name of the application when nobody gave it one. */
const APP = 'app'

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function fail(file: string, message: string, expected = '', meant = ''): never {
  throw new SiteError([
    { file, line: 0, column: 0, path: [], message, expected, nearest: meant, excerpt: '' },
  ])
}
