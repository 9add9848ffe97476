/** An application in a container. */
import { absolutePath, type Drawing, stat } from '../drawing.ts'
import type { ContainerAppPlan } from '../plan.ts'
import { type KeyPath, quote } from '../problem.ts'
import type { ContainerSettings } from '../settings/apps.ts'
import { drawCommon } from './common.ts'

export function drawContainer(
  drawing: Drawing,
  path: KeyPath,
  name: string,
  settings: ContainerSettings,
): ContainerAppPlan {
  const { report } = drawing
  const { port, socket, network } = settings
  if ((port === 0) === (socket === '')) {
    report.problem([...path, 'container'], 'nobody knows where it listens', {
      expected: 'one of port and socket',
      key: true,
    })
  }
  if (network === 'none' && port !== 0) {
    report.problem([...path, 'network'], 'its port could not be reached', { expected: 'socket' })
  }
  for (const key of ['chroot', 'private-tmp'] as const) {
    if (settings[key] !== '' && settings[key] !== false) {
      report.problem([...path, key], 'a container has a file system of its own', { key: true })
    }
  }
  const { read } = readOnlyOf(settings)
  if (!read) {
    report.problem([...path, 'read-only'], 'of a container, all is read-only or nothing', {
      expected: 'true, and volumes for what it writes',
    })
  }
  return {
    kind: 'container',
    name,
    dir: absolutePath(drawing, path, '.'),
    image: settings.container,
    command: settings.command,
    port,
    socket,
    protocol: settings.protocol,
    volumes: settings.volumes.map((text, i) => drawVolume(drawing, [...path, 'volumes', i], text)),
    engine: settings.engine,
    pull: settings.pull,
    ...drawCommon(drawing, path, settings, 1),
  }
}

function readOnlyOf(settings: ContainerSettings): { read: boolean } {
  return { read: typeof settings['read-only'] === 'boolean' }
}

/** A path of this machine is made absolute; what is no path is the name of a volume. */
function drawVolume(drawing: Drawing, path: KeyPath, text: string): string {
  const { report } = drawing
  const [from = '', to = '', mode = 'rw', ...more] = text.split(':')
  const valid = from !== '' && to.startsWith('/') && /^(ro|rw)$/.test(mode) && more.length === 0
  if (!valid || /[,\s]/.test(text)) {
    report.problem(path, `not a volume: ${quote(text)}`, { expected: './data:/data or name:/data' })
    return text
  }
  if (!/^[./]/.test(from)) return `${from}:${to}:${mode}`
  const place = absolutePath(drawing, path, from)
  if (stat(place) === undefined) report.problem(path, `there is no ${place}`)
  return `${place}:${to}:${mode}`
}
