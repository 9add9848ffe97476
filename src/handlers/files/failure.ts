/** What a failed call of the file system means to a visitor. */
import { PorticoError } from '../../errors.ts'

/** The error to answer with, for anything that was thrown by `node:fs` or by ourselves. */
export function failure(cause: unknown): PorticoError {
  if (cause instanceof PorticoError) return cause
  const code = errno(cause)
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ENAMETOOLONG':
    case 'ELOOP':
    case 'EILSEQ':
    case 'EINVAL':
      return new PorticoError('NOT_FOUND', '', { cause })
    case 'EACCES':
    case 'EPERM':
    case 'ENXIO':
      return new PorticoError('FILE_UNREADABLE', code, { cause })
    case 'EMFILE':
    case 'ENFILE':
    case 'ENOMEM':
      return new PorticoError('OUT_OF_FILES', code, { cause })
    default:
      return new PorticoError('INTERNAL', code, { cause })
  }
}

/** The name of the system's error, '' for other things thrown. */
export function errno(cause: unknown): string {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string'
    ? cause.code
    : ''
}
