/**
 * Hot: what a visitor's frames mean (RFC 9113 §6), and which of them are wrong where they stand. What is
 * wrong with one stream ends that (§5.4.2); anything else is thrown, and ends the connection (§5.4.1).
 */
import { PorticoError } from '../../errors.ts'
import { clock } from '../../request/clock.ts'
import {
  encodeSettings,
  Flag,
  FrameType,
  Http2Code,
  Http2Fault,
  PING_FRAME,
  readNumber,
  readSettings,
  Setting,
  writeFrameHead,
} from '../../wire/http2.ts'
import { FrameReader } from '../../wire/http2-reader.ts'
import type { Http2Request } from '../../wire/http2-request.ts'
import { parsePriority } from '../../wire/priority.ts'
import { Blocks } from './blocks.ts'
import { Calm } from './calm.ts'
import type { Http2Connection } from './connection.ts'
import type { Http2Gateway } from './gateway.ts'
import { HeadParts } from './head-parts.ts'
import type { Outgoing } from './outgoing.ts'
import type { Http2Stream } from './stream.ts'
import type { Streams } from './streams.ts'
import type { Windows } from './windows.ts'

const SETTINGS_ACK = encodeSettings([])
SETTINGS_ACK[4] = Flag.ACK

export class Frames {
  readonly #connection: Http2Connection
  readonly #gateway: Http2Gateway
  readonly #streams: Streams
  readonly #windows: Windows
  readonly #out: Outgoing
  readonly #reader: FrameReader
  readonly #blocks: Blocks
  readonly #calm = new Calm()
  /** The visitor's settings have come, and it has acknowledged ours. */
  #told = false
  acknowledged = false
  /** A header block that is not complete, and until when it has to be, on `clock.now`. */
  #head: HeadParts | null = null
  headDeadline: number = Number.POSITIVE_INFINITY

  constructor(connection: Http2Connection, gateway: Http2Gateway) {
    this.#connection = connection
    this.#gateway = gateway
    this.#streams = connection.streams
    this.#windows = connection.windows
    this.#out = connection.out
    this.#blocks = new Blocks(gateway.limits)
    this.#reader = new FrameReader((type, flags, stream, bytes, from, to, length) => {
      this.#frame(type, flags, stream, bytes, from, to, length)
      return connection.open
    })
  }

  /** Takes `bytes[from, to)`. Throws Http2Fault and HpackFault for what ends the connection. */
  read(bytes: Buffer, from: number, to: number): void {
    this.#reader.read(bytes, from, to)
  }

  /** A frame of so many bytes was sent: those that made room for it were of use. */
  sent(bytes: number): void {
    if (bytes > 255) this.#calm.useful(2)
  }

  /** At each tick of the clock. */
  tick(): void {
    this.#calm.tick()
  }

  /** Judges one, and does what it says. Throws Http2Fault for what ends the connection. */
  #frame(
    type: number,
    flags: number,
    id: number,
    bytes: Buffer,
    from: number,
    to: number,
    length: number,
  ): void {
    if (this.#head !== null && (type !== FrameType.CONTINUATION || id !== this.#head.stream)) {
      throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'a frame inside of a header block')
    }
    if (!this.#told && (type !== FrameType.SETTINGS || (flags & Flag.ACK) !== 0)) {
      throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'no settings first')
    }
    try {
      switch (type) {
        case FrameType.DATA:
          return this.#data(flags, id, bytes, from, to, length)
        case FrameType.HEADERS:
          return this.#headers(flags, id, bytes, from, to)
        case FrameType.CONTINUATION:
          return this.#continuation(flags, bytes, from, to)
        case FrameType.WINDOW_UPDATE:
          return this.#windowUpdate(id, readNumber(bytes, from))
        case FrameType.RST_STREAM:
          return this.#rstStream(id)
        case FrameType.SETTINGS:
          return this.#settings(flags, bytes, from, to)
        case FrameType.PING:
          return this.#ping(flags, bytes, from)
        case FrameType.PRIORITY:
          return this.#priority(id, bytes, from, length)
        case FrameType.PRIORITY_UPDATE:
          return this.#priorityUpdate(bytes, from, to)
        case FrameType.GOAWAY:
          // It opens no more streams; those that are open go on.
          return this.#calm.idle()
        case FrameType.PUSH_PROMISE:
          throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'a promise of a client')
        default:
          // §4.1: unknown types are for others.
          this.#calm.idle()
      }
    } catch (error) {
      if (!(error instanceof Http2Fault) || error.stream === 0) throw error
      this.#streamFault(error)
    }
  }

  #data(flags: number, id: number, bytes: Buffer, from: number, to: number, length: number): void {
    this.#windows.receive(length)
    const end = (flags & Flag.END_STREAM) !== 0
    // The frame is ten times what is in it.
    if (to - from <= 1 && !end) this.#calm.idle()
    else this.#calm.useful(1)
    const stream = this.#streams.get(id)
    if (stream === undefined) {
      if (this.#streams.isIdle(id)) throw idleStream()
      this.#connection.credit(length)
      return this.#late(id)
    }
    if (stream.remoteClosed) {
      this.#connection.credit(length)
      throw new Http2Fault(Http2Code.STREAM_CLOSED, 'DATA behind the end', id)
    }
    stream.data(bytes, from, to, length, end)
  }

  /** Something of a stream that is closed. */
  #late(id: number): void {
    this.#calm.idle()
    this.#streams.judgeLate(id)
  }

  #headers(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    let at = from
    let itself = false
    if ((flags & Flag.PRIORITY) !== 0) {
      if (to - from < 5) throw new Http2Fault(Http2Code.FRAME_SIZE_ERROR, 'no priority')
      // The order of RFC 7540 is no longer kept; one thing about it is still an error.
      itself = readNumber(bytes, from) === id
      at += 5
    }
    const end = (flags & Flag.END_STREAM) !== 0
    if ((flags & Flag.END_HEADERS) !== 0) return this.#block(id, end, itself, bytes, at, to)
    this.#head = new HeadParts(id, end, itself, this.#gateway.limits.head)
    this.#head.add(bytes, at, to)
    this.headDeadline = clock.now + this.#gateway.timeouts.headMs
  }

  #continuation(flags: number, bytes: Buffer, from: number, to: number): void {
    const head = this.#head
    if (head === null) {
      throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'CONTINUATION of nothing')
    }
    head.add(bytes, from, to)
    if ((flags & Flag.END_HEADERS) === 0) return
    this.#head = null
    this.headDeadline = Number.POSITIVE_INFINITY
    const block = head.whole()
    this.#block(head.stream, head.end, head.itself, block, 0, block.length)
  }

  /** A complete header block: a request, or trailers. */
  #block(id: number, end: boolean, itself: boolean, bytes: Buffer, from: number, to: number): void {
    const known = this.#streams.get(id)
    if (known !== undefined) return this.#trailers(known, end, bytes, from, to)
    if ((id & 1) === 0) throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'an even stream')
    if (id <= this.#streams.last) {
      if (!this.#streams.wasOpen(id)) {
        throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'a stream before the last one')
      }
      this.#blocks.skip(bytes, from, to)
      return this.#late(id)
    }
    this.#streams.last = id
    if (itself) {
      this.#blocks.skip(bytes, from, to)
      throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'a stream that depends on itself', id)
    }
    const late = id > this.#streams.lastServed
    if (late || this.#streams.size >= this.#gateway.http2.streams) {
      this.#blocks.skip(bytes, from, to)
      if (!late) this.#gateway.counters.http2Refused()
      // §8.7: nothing was done about it, so it may be asked again.
      throw new Http2Fault(Http2Code.REFUSED_STREAM, 'too many streams', id)
    }
    let request: Http2Request
    try {
      request = this.#blocks.request(bytes, from, to, id, end)
    } catch (error) {
      if (error instanceof PorticoError) {
        return this.#connection.refuse(id, end, error, this.#blocks.told)
      }
      if (error instanceof Http2Fault) {
        this.#connection.log(new PorticoError('BAD_FIELD', error.message), this.#blocks.told)
      }
      throw error
    }
    this.#calm.useful(4)
    this.#connection.begin(id, end, request)
  }

  #trailers(stream: Http2Stream, end: boolean, bytes: Buffer, from: number, to: number): void {
    const { id } = stream
    if (stream.remoteClosed) {
      this.#blocks.skip(bytes, from, to)
      throw new Http2Fault(Http2Code.STREAM_CLOSED, 'HEADERS behind the end', id)
    }
    const block = this.#blocks.trailers(bytes, from, to, id)
    if (!end) throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'trailers before the end', id)
    stream.trailers(block)
  }

  #windowUpdate(id: number, increment: number): void {
    this.#calm.idle()
    if (id === 0) {
      if (increment === 0) throw noIncrement(0)
      return this.#windows.widen(increment)
    }
    const stream = this.#streams.get(id)
    if (stream === undefined) {
      if (this.#streams.isIdle(id)) throw idleStream()
      return
    }
    if (increment === 0) throw noIncrement(id)
    stream.widen(increment)
  }

  #rstStream(id: number): void {
    const stream = this.#streams.get(id)
    if (stream === undefined) {
      if (this.#streams.isIdle(id)) throw idleStream()
      return this.#calm.idle()
    }
    if (!stream.localClosed) this.#calm.reset()
    this.#connection.forget(stream, false)
  }

  #settings(flags: number, bytes: Buffer, from: number, to: number): void {
    if ((flags & Flag.ACK) !== 0) {
      this.acknowledged = true
      return this.#calm.idle()
    }
    this.#told = true
    this.#calm.idle(10)
    readSettings(bytes, from, to, (id, value) => {
      if (id === Setting.INITIAL_WINDOW_SIZE) this.#setInitialWindow(value)
      // RFC 7541 §4.2: our table, which we do not use, must not be larger than that.
      else if (id === Setting.HEADER_TABLE_SIZE && value < 4096) this.#out.tableUpdate = true
    })
    this.#out.put(SETTINGS_ACK)
  }

  #setInitialWindow(value: number): void {
    const difference = value - this.#windows.initial
    this.#windows.initial = value
    for (const stream of this.#streams.all()) {
      if (stream.adjust(difference)) continue
      throw new Http2Fault(Http2Code.FLOW_CONTROL_ERROR, 'window too large')
    }
  }

  #ping(flags: number, bytes: Buffer, from: number): void {
    this.#calm.idle()
    if ((flags & Flag.ACK) !== 0) return
    const out = this.#out
    const at = out.room(PING_FRAME)
    const payload = writeFrameHead(out.bytes, at, 8, FrameType.PING, Flag.ACK, 0)
    bytes.copy(out.bytes, payload, from, from + 8)
    out.at = payload + 8
  }

  #priority(id: number, bytes: Buffer, from: number, length: number): void {
    this.#calm.idle()
    if (length !== 5) throw new Http2Fault(Http2Code.FRAME_SIZE_ERROR, 'PRIORITY', id)
    if (readNumber(bytes, from) === id) {
      throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'a stream that depends on itself', id)
    }
  }

  /** RFC 9218 §7.1. Of a stream that is still to come nothing is remembered. */
  #priorityUpdate(bytes: Buffer, from: number, to: number): void {
    this.#calm.idle()
    const id = readNumber(bytes, from)
    if (id === 0) throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'the priority of stream 0')
    const stream = this.#streams.get(id)
    if (stream === undefined) return
    this.#connection.prefer(stream, parsePriority(bytes.toString('latin1', from + 4, to)))
  }

  /** Whoever makes us reset streams takes them back in another way. */
  #streamFault(fault: Http2Fault): void {
    this.#calm.reset()
    const stream = this.#streams.get(fault.stream)
    if (stream !== undefined) {
      const { exchange } = stream
      if (exchange !== null) exchange.error ??= new PorticoError('BAD_HTTP2', fault.message)
      return this.#connection.reset(stream, fault.code)
    }
    if (this.#streams.isIdle(fault.stream)) throw new Http2Fault(fault.code, fault.message)
    this.#connection.pass(fault.stream, fault.code)
  }
}

function idleStream(): Http2Fault {
  return new Http2Fault(Http2Code.PROTOCOL_ERROR, 'a stream that nobody has opened')
}

function noIncrement(stream: number): Http2Fault {
  return new Http2Fault(Http2Code.PROTOCOL_ERROR, 'a window update of 0', stream)
}
