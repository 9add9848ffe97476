/**
 * TLS on libuv's handle itself, by the object that node:tls wraps it with. Like stream-handle.ts this looks
 * at Node's internals once, at load: where they are not as expected, `lightTls` is false and tls.TLSSocket
 * does the same, slower.
 */
import type { SecureContext } from 'node:tls'
import type { PeerLink } from './peer-certificate.ts'
import type { HandleUser, StreamHandle, WriteRequest } from './stream-handle.ts'

/** What is needed of Node's TLSWrap. */
export interface TlsHandle {
  /** Ours: who reads from it. */
  stream?: HandleUser
  onread: (this: { readonly stream?: HandleUser }) => void
  onhandshakestart: () => void
  onhandshakedone: () => void
  onerror: (error: NodeJS.ErrnoException) => void
  oncertcb: (info: { readonly OCSPRequest?: boolean }) => void
  useUserBuffer(buffer: Uint8Array): void
  readStart(): number
  readStop(): number
  /** What was read before it was there. */
  receive(bytes: Uint8Array): void
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number
  writev(request: WriteRequest, bytes: readonly Uint8Array[], allBuffers: true): number
  shutdown(request: object): number
  destroySSL(): void
  setVerifyMode(request: boolean, reject: boolean): void
  setALPNProtocols(protocols: Uint8Array): void
  enableCertCb(): void
  setOCSPResponse(response: Uint8Array): void
  certCbDone(): void
  getProtocol(): string
  getCipher(): { readonly name: string } | undefined
  getALPNNegotiatedProtocol(): string | false | undefined
  isSessionReused(): boolean
  verifyError(): NodeJS.ErrnoException | null | undefined
  getPeerCertificate(detailed: true): PeerLink | undefined
}

type Wrap = (
  handle: StreamHandle,
  context: object,
  isServer: boolean,
  hasActiveWrite: boolean,
) => unknown

function findWrap(): Wrap | null {
  try {
    const binding: unknown = Reflect.get(process, 'binding').call(process, 'tls_wrap')
    if (typeof binding !== 'object' || binding === null) return null
    const { wrap, TLSWrap } = binding as { wrap?: unknown; TLSWrap?: { prototype?: object } }
    const prototype = TLSWrap?.prototype
    if (typeof wrap !== 'function' || prototype === undefined) return null
    return NEEDED.every((name) => typeof Reflect.get(prototype, name) === 'function')
      ? (wrap as Wrap)
      : null
  } catch {
    return null
  }
}

const NEEDED = [
  'useUserBuffer',
  'readStart',
  'readStop',
  'receive',
  'writeBuffer',
  'writev',
  'shutdown',
  'destroySSL',
  'setVerifyMode',
  'setALPNProtocols',
  'enableCertCb',
  'setOCSPResponse',
  'certCbDone',
  'getProtocol',
  'getCipher',
  'getALPNNegotiatedProtocol',
  'isSessionReused',
  'verifyError',
  'getPeerCertificate',
]

const wrap = findWrap()

/** Whether this Node's TLS is as we know it. */
export const lightTls: boolean = wrap !== null

/** Wraps a handle for the server's side of TLS. Only where `lightTls`. */
export function wrapTls(handle: StreamHandle, context: SecureContext): TlsHandle {
  return wrap!(handle, context.context as object, true, false) as TlsHandle
}
