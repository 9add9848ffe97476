/**
 * systemd's readiness protocol, see sd_notify(3): datagrams of `NAME=value` lines to the unix socket
 * that NOTIFY_SOCKET names. Node has no unix datagram sockets.
 */
import { closeSync } from 'node:fs'
import { encodeUnix } from '../listen/address.ts'
import { checked, constants, openSocket, sendto } from './libc.ts'

export interface ServiceManager {
  ready(status: string): void
  reloading(): void
  stopping(): void
  status(text: string): void
  /** Stops the watchdog's pings. */
  close(): void
}

const silent: ServiceManager = {
  ready() {},
  reloading() {},
  stopping() {},
  status() {},
  close() {},
}

/**
 * Talks to the service manager that the environment names; without one, says nothing. Its watchdog is
 * told that we live for as long as `isAlive` says so.
 */
export function serviceManager(
  environment: NodeJS.ProcessEnv,
  isAlive: () => Promise<boolean>,
): ServiceManager {
  const path = environment.NOTIFY_SOCKET ?? ''
  if (!path.startsWith('/') && !path.startsWith('@')) return silent
  const send = (lines: readonly string[]): void => sendDatagram(path, lines.join('\n'))
  const watchdog = startWatchdog(environment, async () => {
    if (await isAlive()) send(['WATCHDOG=1'])
  })
  return {
    ready: (status) => send(['READY=1', `MAINPID=${process.pid}`, `STATUS=${oneLine(status)}`]),
    // MONOTONIC_USEC is required of Type=notify-reload units; hrtime reads the same clock.
    reloading: () =>
      send([
        'RELOADING=1',
        `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`,
        'STATUS=Reloading',
      ]),
    stopping: () => send(['STOPPING=1', 'STATUS=Stopping']),
    status: (text) => send([`STATUS=${oneLine(text)}`]),
    close: () => clearInterval(watchdog),
  }
}

function oneLine(text: string): string {
  return text.replaceAll('\n', ' ')
}

/** Twice in the time that WatchdogSec= allows. */
function startWatchdog(
  environment: NodeJS.ProcessEnv,
  ping: () => Promise<void>,
): NodeJS.Timeout | undefined {
  const microseconds = Number(environment.WATCHDOG_USEC ?? 0)
  const forUs = [undefined, String(process.pid)].includes(environment.WATCHDOG_PID)
  if (!(microseconds > 0) || !forUs) return undefined
  return setInterval(() => void ping(), microseconds / 2000).unref()
}

/** A manager that does not listen must not stop a site from serving: failures are ignored. */
function sendDatagram(path: string, text: string): void {
  let fd = -1
  try {
    const { family, bytes } = encodeUnix(path)
    fd = openSocket(family, constants.SOCK_DGRAM)
    const message = Buffer.from(text)
    checked(
      'sendto',
      sendto(fd, message, message.length, constants.MSG_DONTWAIT, bytes, bytes.length),
    )
  } catch {
    return
  } finally {
    if (fd >= 0) closeSync(fd)
  }
}
