/**
 * The worker link: frames between one server thread and one application worker on a unix stream
 * socket. Pure: bytes in, frames out. The Python side of it is `runtimes/python/portico_worker/link.py`.
 *
 * Every frame starts with 12 bytes, little-endian:
 *
 *     u32 length   of the payload after these 12 bytes
 *     u32 id       of the request; 0 for the link itself
 *     u8  type     see FrameType
 *     u8  flags    see the flags of each type
 *     u16 extra    RESPONSE and HEAD: the status; else 0
 *
 * server → worker
 *   REQUEST   u32 lineLength, u32 fieldsLength, line, fields, body
 *             line    latin-1, joined by NUL, exactly these eleven and in this order: REQUEST_METHOD
 *                     SCRIPT_NAME PATH_INFO QUERY_STRING REQUEST_URI SERVER_PROTOCOL REMOTE_ADDR
 *                     REMOTE_PORT SERVER_NAME SERVER_PORT url_scheme, then CONTENT_LENGTH ('' = absent).
 *             Where requests have names, a blank, the traceparent, a blank and the request's id follow
 *             CONTENT_LENGTH: HTTP_TRACEPARENT and HTTP_X_REQUEST_ID, which the fields never hold then
 *             fields  latin-1, NUL-joined key, value, key, value …: CONTENT_TYPE, HTTP_*. The same bytes
 *                     for the same header block, so that a worker may remember what they decode to.
 *             body    the rest: the whole body, or with flag SPOOLED the absolute path of a file with it
 *             flag MORE: the body follows in BODY frames (here it is empty), CONTENT_LENGTH is what the
 *             visitor said ('' for a chunked one); only to workers that said `streams`
 *             flag WEBSOCKET: the visitor asks for a WebSocket, correctly; no body. Only to workers that
 *             said `streams`. The worker answers ACCEPT, or with an answer as to any request
 *   BODY, BODY_END    the request's body, within the window, and its end
 *   MESSAGE   a whole message of an accepted WebSocket; flag TEXT: valid UTF-8, else bytes
 *   CLOSE     u16 code, reason in UTF-8: the WebSocket is closed, by whomever (1006: its connection is
 *             lost; 1012: the server ends it for a reload). Nothing more comes for this id, and the worker
 *             sends END. The answer to SHUT is CLOSE, at once, with the same code
 *   CANCEL    the visitor has left, its body is broken, or the deadline has passed: send nothing more for
 *             this id but its END, and that at once: a worker that `streams` and does not is taken for stuck
 *   WINDOW    u32: the worker may send that many more bytes of DATA for this id
 *   OPENED    answers FILE: the server has the file open (flags 0), or could not open it (flags 1:
 *             send its bytes as DATA instead)
 *   QUIT      finish what is in hand, answer it, exit
 *   PING      answered by PONG with the same id, at once: asks a worker that speaks HTTP whether it is stuck
 *
 * worker → server
 *   HELLO     JSON {"app","slot","pid","capacity","streams","http"}: the first frame on every link.
 *             capacity: requests that the worker takes at a time. streams (default false): it takes bodies
 *             in pieces and WebSockets. http: the unix socket on which it takes requests over HTTP/1.1,
 *             instead of any over this link ('', the default)
 *   INFORM    an interim answer; extra: its status (103), payload: field lines
 *   RESPONSE  u32 headLength, u32 serviceMicroseconds, i64 contentLength, head, body: a whole answer
 *             contentLength: what the application declared, -1 if nothing
 *             head: latin-1: `Reason\r\n`, then `Name: value\r\n` for each field, in order, without
 *             Content-Length; validated by the worker: no control characters, no hop-by-hop fields
 *   HEAD      the same without a body: DATA frames and END follow
 *   DATA      the next bytes of the body, at most MAX_DATA a frame, within the window
 *   END       u32 serviceMicroseconds, trailers as field lines; flag FAILED: the body is cut short, the
 *             connection must close. Ends a WebSocket, too: without SHUT before it with code 1000, or 1011
 *             when FAILED
 *   ACCEPT    field lines, such as Sec-WebSocket-Protocol: the WebSocket is open
 *   SEND      a message for the visitor of a WebSocket; flag TEXT: UTF-8
 *   SHUT      u16 code, reason in UTF-8: close the WebSocket
 *   GRANT     u32: the server may send that many more bytes of BODY and MESSAGE for this id
 *   FILE      u64 offset, u64 length, path in UTF-8: after HEAD; the body is that part of that file.
 *             The worker keeps the file until OPENED, then sends END (or DATA … END)
 *   LEAVING   the worker was told to go: the server sends no more requests and answers QUIT, which is
 *             thereby behind the last one, so that none is lost
 *
 * Windows count payload bytes, DATA and SEND in one direction, BODY and MESSAGE in the other. A message
 * may be sent whole as long as the window is not used up, and may overdraw it.
 *
 * Frames cross: either side drops what comes for an id that it knows no longer.
 *
 * Every REQUEST ends with exactly one RESPONSE or END, also when it was cancelled (END, FAILED): that is
 * when the worker is free again.
 */

export const FRAME_HEAD = 12
/** Bytes of the fixed part of RESPONSE and HEAD payloads. */
export const RESPONSE_FIXED = 16
/** Bytes of DATA that a worker may send for a request before the first WINDOW. */
export const INITIAL_WINDOW = 1_048_576
/** Bytes of BODY and MESSAGE that the server may send for a request before the first GRANT. */
export const INITIAL_GRANT = 262_144
/** Largest DATA payload. */
export const MAX_DATA = 262_144
/** Largest body of a RESPONSE; a longer one comes as HEAD and DATA. */
export const MAX_WHOLE = 262_144
/** Largest payload that either side accepts. */
export const MAX_FRAME = 16_777_216

export const FrameType = {
  REQUEST: 1,
  BODY: 2,
  BODY_END: 3,
  CANCEL: 4,
  WINDOW: 5,
  QUIT: 6,
  OPENED: 7,
  MESSAGE: 8,
  CLOSE: 9,
  PING: 10,
  HELLO: 16,
  RESPONSE: 17,
  HEAD: 18,
  DATA: 19,
  END: 20,
  FILE: 21,
  LEAVING: 22,
  INFORM: 23,
  ACCEPT: 24,
  SEND: 25,
  SHUT: 26,
  GRANT: 27,
  PONG: 28,
} as const

/** Flags of REQUEST. */
export const REQUEST_SPOOLED = 1
export const REQUEST_MORE = 2
export const REQUEST_WEBSOCKET = 4

/** Flag of MESSAGE and SEND. */
export const TEXT = 1

/** Flags of RESPONSE and HEAD: fields the application set itself. */
export const HAS_DATE = 1
export const HAS_SERVER = 2
/** RESPONSE: the application raised; the body is the traceback (UTF-8). END: the body is cut short. */
export const FAILED = 4
