/** What the ends of programs, and starts that failed, mean: to the visitor and in the log. */
import { constants } from 'node:os'
import { type ErrorCode, PorticoError } from '../../errors.ts'
import { SystemCallError } from '../../system/libc.ts'
import type { Ended } from '../../system/spawn.ts'
import { errno } from '../files/failure.ts'

/** By the name of the system's error: what the visitor gets, and the cause in the owner's words. */
const STARTS: Readonly<Record<string, readonly [code: ErrorCode, why: string]>> = {
  ENOENT: ['CGI_FAILED', 'the interpreter that its first line (#!) names is not there'],
  ENOTDIR: ['CGI_FAILED', 'the interpreter that its first line (#!) names is not there'],
  ENOEXEC: ['CGI_FAILED', 'its first line is no #! line, and it is no program for this machine'],
  EACCES: ['CGI_FAILED', 'it, its folder or its interpreter may not be used by us'],
  EPERM: ['CGI_FAILED', 'it, its folder or its interpreter may not be used by us'],
  ETXTBSY: ['CGI_FAILED', 'it is being written at the moment'],
  E2BIG: ['TOO_LARGE_HEAD', 'the request is too large for an environment'],
  EAGAIN: ['OUT_OF_PROCESSES', 'no more processes (ulimit -u, TasksMax=)'],
  ENOMEM: ['OUT_OF_PROCESSES', 'no more memory'],
  EMFILE: ['OUT_OF_FILES', 'no more open files (ulimit -n)'],
  ENFILE: ['OUT_OF_FILES', 'no more open files on this machine'],
}

/** Why a program could not be started. */
export function startFailure(cause: unknown): {
  readonly error: PorticoError
  readonly why: string
} {
  const name = cause instanceof SystemCallError ? cause.code : errno(cause)
  const [code, why] = STARTS[name] ?? ['CGI_FAILED', String(cause)]
  return { error: new PorticoError(code, name, { cause }), why: `${why} (${name})` }
}

/** `ended with exit code 1`, `was killed by SIGSEGV`. */
export function describe({ code, signal }: Ended): string {
  if (signal === 0) return code === 0 ? 'ended' : `ended with exit code ${code}`
  const name = Object.entries(constants.signals).find(([, number]) => number === signal)?.[0]
  return `was killed by ${name ?? `signal ${signal}`}`
}
