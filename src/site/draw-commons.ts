/** `cache:` → the Plan's commons. */
import { dirname } from 'node:path'
import { parseListen } from './address.ts'
import { resolveSocket } from './draw-listeners.ts'
import { type Drawing, stat } from './drawing.ts'
import type { Address, CommonsPlan } from './plan.ts'

const PORTS = { redis: 6379, memcached: 11_211 } as const

export function drawCommons(drawing: Drawing): CommonsPlan {
  const { size, item, connections } = drawing.settings.cache
  if (item > size) {
    drawing.report.problem(['cache', 'item'], 'larger than cache.size, which holds all of them')
  }
  return {
    size,
    item,
    connections,
    redis: drawAddress(drawing, 'redis'),
    memcached: drawAddress(drawing, 'memcached'),
  }
}

function drawAddress(drawing: Drawing, key: 'redis' | 'memcached'): Address | null {
  const text = drawing.settings.cache[key]
  if (text === '') return null
  const { report } = drawing
  const path = ['cache', key]
  const expected = `127.0.0.1:${PORTS[key]}, [::1]:${PORTS[key]} or unix:/run/site/${key}.sock`
  const parsed = parseListen(text)
  if ('wrong' in parsed || parsed.scheme !== 'http') {
    report.problem(path, 'wrong' in parsed ? parsed.wrong : 'an address without a scheme', {
      expected,
    })
    return null
  }
  const { address } = parsed
  if (address.kind === 'tcp') {
    // Nobody is asked for a password: whoever reaches it reads and writes everything.
    if (!/^(127\.|::1$|localhost$)/.test(address.host)) {
      report.problem(path, 'other machines could connect, and nobody is asked for a password', {
        expected,
      })
    }
    return address
  }
  const socket = resolveSocket(drawing, path, address)
  const folder = socket.kind === 'unix' ? dirname(socket.path) : ''
  if (folder.startsWith('/') && stat(folder)?.isDirectory() !== true) {
    report.problem(path, `no such folder: ${folder}`)
  }
  return socket
}
