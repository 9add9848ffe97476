/** Names of requests: whose are believed, what goes on, and that none comes twice. */
import { expect, test } from 'vitest'
import { Tracer } from '../../src/request/trace.ts'
import { parseRequestFields, type RequestFields } from '../../src/wire/request-fields.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const PARENT = `00-${TRACE}-00f067aa0ba902b7-00`
const tracer = new Tracer({ answer: true, sampled: true })

function fields(...lines: string[]): RequestFields {
  return parseRequestFields(`Host: a\r\n${lines.map((line) => `${line}\r\n`).join('')}`, 1, 100)
}

test('without a word of a visitor: an id and a trace of its own, never twice', () => {
  const seen = new Set<string>()
  for (let i = 0; i < 2_000; i++) {
    const { id, traceId, spanId, traceparent, answerField } = tracer.trace(fields(), false)
    expect(id).toBe(spanId)
    expect(traceparent).toBe(`00-${traceId}-${spanId}-01`)
    expect(answerField).toBe(`X-Request-Id: ${id}\r\n`)
    seen.add(id).add(traceId)
  }
  expect(seen.size).toBe(4_000)
})

test('a trusted proxy’s trace goes on as its caller wants it; nobody else’s does', () => {
  const told = fields(`Traceparent: ${PARENT}`, 'X-Request-Id: front-1', 'Tracestate: a=b')
  const { id, traceId, spanId, traceparent } = tracer.trace(told, true)
  expect([id, traceId]).toEqual(['front-1', TRACE])
  expect(traceparent).toBe(`00-${TRACE}-${spanId}-00`)
  expect(spanId).not.toBe('00f067aa0ba902b7')
  const stranger = tracer.trace(told, false)
  expect(stranger.traceId).not.toBe(TRACE)
  expect(stranger.id).toBe(stranger.spanId)
})

test('what is no trace and no id begins anew, though the proxy is trusted', () => {
  const told = fields(`Traceparent: ${PARENT}-x`, 'X-Request-Id: a "b"', 'Tracestate: a=b')
  const { id, traceId, spanId } = tracer.trace(told, true)
  expect(id).toBe(spanId)
  expect(traceId).not.toBe(TRACE)
  // Without its trace nobody can make sense of what was said about it.
  expect(tracer.withoutTrace(told, true).names).toEqual(['host'])
})

test('nobody gets the names that were replaced; tracestate goes with its trace', () => {
  const told = fields(`Traceparent: ${PARENT}`, 'X-Request-Id: x', 'Tracestate: a=b', 'Accept: */*')
  const trusted = tracer.withoutTrace(told, true)
  const stranger = tracer.withoutTrace(told, false)
  expect(trusted.names).toEqual(['host', 'tracestate', 'accept'])
  expect(trusted.raw).toBe('Host: a\r\nTracestate: a=b\r\nAccept: */*\r\n')
  expect(stranger.raw).toBe('Host: a\r\nAccept: */*\r\n')
  // Requests with the same bytes share what was made of them, and so do these.
  expect(tracer.withoutTrace(told, true)).toBe(trusted)
  expect(tracer.withoutTrace(told, false)).toBe(stranger)
  const plain = fields('Accept: */*')
  expect(tracer.withoutTrace(plain, false)).toBe(plain)
})

test('visitors need not be told, and a trace need not be recorded', () => {
  const quiet = new Tracer({ answer: false, sampled: false })
  const { answerField, traceparent } = quiet.trace(fields(), false)
  expect(answerField).toBe('')
  expect(traceparent.endsWith('-00')).toBe(true)
})
