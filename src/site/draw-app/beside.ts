/** What runs in an application's code beside its workers: in which kinds, and how each names a function. */
import { dirname, relative } from 'node:path'
import { absolutePath, type Drawing, existingFile } from '../drawing.ts'
import type { KeyPath } from '../problem.ts'
import type { AppSettings, NodeSettings } from '../settings/apps.ts'
import { NODE_TARGET, PYTHON_TARGET } from '../settings/names.ts'

/** A function that is to be called in the code of the application `name`, as its worker finds it. */
export function drawCall(
  drawing: Drawing,
  path: KeyPath,
  target: string,
  name: string,
  app: AppSettings,
): string {
  const { report } = drawing
  const refuse = (expected: string): string => {
    report.problem([...path, 'call'], 'this is not how the application names a function', {
      expected,
    })
    return target
  }
  if ('python' in app) {
    return PYTHON_TARGET.test(target)
      ? target
      : refuse('module:function, such as "shop.tasks:clean"')
  }
  if ('node' in app && app.run === 'processes') {
    if (!NODE_TARGET.test(target)) return refuse('./file:function, such as "./tasks.ts:clean"')
    return drawNodeTarget(drawing, [...path, 'call'], target, nodeFolder(drawing, name, app))
  }
  const what =
    'node' in app
      ? 'what runs in the server’s threads cannot be called'
      : 'only Python and Node applications can be called'
  report.problem([...path, 'app'], what, { expected: 'run or get' })
  return target
}

/** `./feed.ts:main`, from the site file, as it is from the folder of the application. */
export function drawNodeTarget(
  drawing: Drawing,
  path: KeyPath,
  target: string,
  dir: string,
): string {
  const colon = target.lastIndexOf(':')
  return `${drawNodeModule(drawing, path, target.slice(0, colon), dir)}${target.slice(colon)}`
}

/** From the folder, since an application in a root of its own knows no other path. */
export function drawNodeModule(
  drawing: Drawing,
  path: KeyPath,
  module: string,
  dir: string,
): string {
  const file = relative(dir, existingFile(drawing, path, module))
  return file.startsWith('../') ? file : `./${file}`
}

/** Its working directory, whether it is there or not. */
function nodeFolder(drawing: Drawing, name: string, { dir, node }: NodeSettings): string {
  const path = ['apps', name]
  if (dir !== '') return absolutePath(drawing, [...path, 'dir'], dir)
  return dirname(absolutePath(drawing, [...path, 'node'], node))
}
