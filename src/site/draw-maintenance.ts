/** `maintenance` and `errors` → the Plan. */
import { dirname } from 'node:path'
import { absolutePath, type Drawing, existingFile, stat } from './drawing.ts'
import type { ErrorsPlan, MaintenancePlan } from './filters-plan.ts'
import { parseNetwork } from './networks.ts'
import type { KeyPath } from './problem.ts'
import { type ErrorsForm, type MaintenanceForm, parseMaintenance } from './settings/maintenance.ts'
import { nodeAt } from './tree.ts'

export function drawMaintenance(
  drawing: Drawing,
  path: KeyPath,
  form: MaintenanceForm,
): MaintenancePlan | false {
  const { root, report } = drawing
  if (form === false) return false
  const settings = form === true ? parseMaintenance({ when: 'always' }) : form
  const { when, exists, page, text } = settings
  if ((when === 'file') !== (exists !== '')) {
    const key = when === 'file' ? 'when' : 'exists'
    report.problem([...path, key], 'one goes with the other', {
      expected: 'when: file, and exists: the name of a file',
    })
  }
  if (page !== '' && text !== '') {
    report.problem([...path, 'text'], 'a page and a text', { expected: 'one of them', key: true })
  }
  const isList = nodeAt(root, [...path, 'except'])?.kind === 'list'
  const except = settings.except.flatMap((each, index) => {
    const network = each === 'unix' ? each : parseNetwork(each)
    if (network !== undefined) return [network]
    const at = [...path, 'except']
    const expected = 'an address, a network such as 10.0.0.0/8, or unix'
    report.problem(isList ? [...at, index] : at, 'not a network', { expected })
    return []
  })
  const file = exists === '' ? '' : absolutePath(drawing, [...path, 'exists'], exists)
  if (file !== '' && stat(dirname(file))?.isDirectory() !== true) {
    report.problem([...path, 'exists'], `no such folder: ${dirname(file)}`)
  }
  return {
    when,
    exists: file,
    page: page === '' ? '' : existingFile(drawing, [...path, 'page'], page),
    text,
    status: settings.status,
    retryAfterSeconds: Math.ceil(settings['retry-after'] / 1000),
    except,
  }
}

export function drawErrors(drawing: Drawing, path: KeyPath, form: ErrorsForm): ErrorsPlan {
  const pages: Record<string, string> = {}
  let intercept = false
  for (const [status, value] of Object.entries(form)) {
    const here = [...path, status]
    if (status === 'intercept') {
      intercept = value === true || value === 'true'
      if (typeof value === 'string' && value !== 'true' && value !== 'false') {
        drawing.report.problem(here, 'wrong value', { expected: 'true or false' })
      }
    } else if (typeof value === 'string') pages[status] = existingFile(drawing, here, value)
    else drawing.report.problem(here, 'wrong value', { expected: 'a file' })
  }
  return { pages, intercept }
}
