/** wrk on the load core, its results read as data. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { LOAD_CORE } from './processes.ts'

const LOAD = join(import.meta.dirname, '../load')
const SUMMARY = join(LOAD, 'summary.lua')

export interface Load {
  readonly connections: number
  readonly seconds: number
  /** A script of bench/load in place of the one fixed request. */
  readonly script?: string
}

/** What any load generator tells. */
export interface Answered {
  readonly requests: number
  readonly seconds: number
  readonly bytes: number
  readonly p50Us?: number
  readonly p99Us?: number
  /** Connections that failed, reads and writes that failed, answers of 400 and above, time-outs. */
  readonly errors: {
    readonly connect: number
    readonly read: number
    readonly write: number
    readonly status: number
    readonly timeout: number
  }
}

export interface LoadResult extends Answered {
  readonly p50Us: number
  readonly p99Us: number
  readonly maxUs: number
}

export function wrk(url: string, load: Load): Promise<LoadResult> {
  const script = load.script ? join(LOAD, load.script) : SUMMARY
  const args = ['-c', String(LOAD_CORE), 'wrk', '-t1', `-c${load.connections}`]
  args.push(`-d${load.seconds}s`, '--timeout', '10s', '-s', script, url)
  return new Promise((resolve, reject) => {
    const child = spawn('taskset', args, {
      env: { ...process.env, BENCH_SUMMARY: SUMMARY },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
    })
    child.stderr.on('data', (chunk) => {
      output += chunk
    })
    child.on('error', reject)
    child.on('close', () => {
      const line = /^summary (.*)$/m.exec(output)?.[1]
      if (!line) reject(new Error(`wrk gave no summary:\n${output}`))
      else resolve(parse(line))
    })
  })
}

function parse(line: string): LoadResult {
  const raw = JSON.parse(line)
  const { connect, read, write, status, timeout } = raw
  return {
    requests: raw.requests,
    seconds: raw.durationUs / 1e6,
    bytes: raw.bytes,
    p50Us: raw.p50Us,
    p99Us: raw.p99Us,
    maxUs: raw.maxUs,
    errors: { connect, read, write, status, timeout },
  }
}

/** The errors in words, or undefined when there were none. */
export function errorsOf(result: Answered): string | undefined {
  const named = Object.entries(result.errors).filter(([, count]) => count > 0)
  if (result.requests === 0) return 'not one answer'
  if (named.length === 0) return undefined
  return named.map(([kind, count]) => `${count} ${kind}`).join(', ')
}
