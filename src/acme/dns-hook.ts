/** A program of the owner's that writes a DNS record, and takes it away. */
import { spawn } from 'node:child_process'

export interface DnsRecord {
  /** As in the certificate, without `*.`. */
  readonly name: string
  /** `_acme-challenge.example.com` */
  readonly record: string
  readonly value: string
}

/** A record may take its time to reach all name servers; the hook waits for that. */
const HOOK_MS = 10 * 60_000
const LONGEST_WORDS = 2_000

/** Runs `hook present NAME RECORD VALUE`; rejects with the last that it said where it fails. */
export function runDnsHook(
  hook: readonly string[],
  what: 'present' | 'remove',
  { name, record, value }: DnsRecord,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const [file = '', ...args] = hook
    const child = spawn(file, [...args, what, name, record, value], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // certbot's names, so that hooks written for it work.
      env: { ...process.env, CERTBOT_DOMAIN: name, CERTBOT_VALIDATION: value },
      signal: AbortSignal.any([signal, AbortSignal.timeout(HOOK_MS)]),
      killSignal: 'SIGKILL',
    })
    let words = ''
    const hear = (chunk: Buffer): void => {
      words = (words + chunk.toString('latin1')).slice(-LONGEST_WORDS)
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    const failed = (why: string): void => {
      const last = words.trim().split('\n').at(-1) ?? ''
      reject(new Error(`the DNS hook ${file} ${what} ${why}${last === '' ? '' : `: ${last}`}`))
    }
    child.on('error', (error) => failed(error.message))
    child.on('close', (code, killed) => {
      if (code === 0) resolve()
      else failed(killed === null ? `ended with ${code}` : `was killed (${killed})`)
    })
  })
}
