/** What a look at Python source tells, without running it. */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { stat } from './drawing.ts'

/** More of a file is not looked at. */
const LARGEST = 256 * 1024

export interface PythonFile {
  /** The name of the callable at the top level, or ''. */
  readonly callable: string
  /** Whether what is there seems to speak ASGI. The worker sees it for sure. */
  readonly asgi: boolean
}

const NAMES = ['application', 'app']
const ASGI = /^\s*(?:from|import)\s+(?:fastapi|starlette|quart|litestar|sanic|channels)\b/m
const DJANGO_ASGI = /\bget_asgi_application\b/

/** `application` goes before `app`, as servers agree on (PEP 3333 names neither). */
export function inspectPython(file: string): PythonFile {
  const text = readText(file)
  const callable = NAMES.find((name) => defines(text, name)) ?? ''
  const coroutine = NAMES.some((name) => new RegExp(`^async\\s+def\\s+${name}\\b`, 'm').test(text))
  return {
    callable,
    asgi: coroutine || ASGI.test(text) || DJANGO_ASGI.test(text),
  }
}

function defines(text: string, name: string): boolean {
  const forms = [
    `^${name}\\s*(?::[^=\\n]+)?=(?!=)`, // app = …, app: Flask = …
    `^(?:(?:async\\s+)?def|class)\\s+${name}\\b`,
    `^from\\s+\\S+\\s+import\\s+(?:[^\\n#]*[\\s,(])?${name}\\b(?!\\s+as\\b)`,
    `^(?:from\\s+\\S+\\s+)?import\\s+[^\\n#]*\\bas\\s+${name}\\b`,
  ]
  return forms.some((form) => new RegExp(form, 'm').test(text))
}

/** The `wsgi` or `asgi` module of the project that this `manage.py` belongs to, or ''. */
export function djangoModule(manage: string, name: 'wsgi' | 'asgi'): string {
  const folder = join(manage, '..')
  const settings =
    /DJANGO_SETTINGS_MODULE['"]\s*,\s*['"]([\w.]+)['"]/.exec(readText(manage))?.[1] ?? ''
  const parts = settings.split('.')
  // `mysite.settings.production` and `config.settings`: the module is beside the settings, or above.
  for (let length = parts.length - 1; length >= 1; length--) {
    const packages = parts.slice(0, length)
    if (isFile(join(folder, ...packages, `${name}.py`))) return [...packages, name].join('.')
  }
  return packagedModule(folder, name)
}

/** `name.py` in exactly one package right below: `shop.wsgi`; else ''. */
export function packagedModule(folder: string, name: string): string {
  const found = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && /^[A-Za-z_]\w*$/.test(entry.name))
    .map((entry) => entry.name)
    .filter((packageName) => isFile(join(folder, packageName, `${name}.py`)))
  return found.length === 1 ? `${found[0]}.${name}` : ''
}

/** The source of a dotted module below `dir`, or '': it may be installed elsewhere. */
export function moduleFile(dir: string, module: string): string {
  const stem = join(dir, ...module.split('.'))
  return [`${stem}.py`, join(stem, '__init__.py')].find(isFile) ?? ''
}

/** What could have been meant by a module that is not in `dir`. */
export function modulesIn(dir: string): string[] {
  try {
    return readdirSync(dir)
      .filter((name) => name.endsWith('.py') || isFile(join(dir, name, '__init__.py')))
      .map((name) => basename(name, '.py'))
  } catch {
    return []
  }
}

export function isFile(path: string): boolean {
  return stat(path)?.isFile() === true
}

export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(0, LARGEST)
  } catch {
    return ''
  }
}
