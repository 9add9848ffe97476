/** Visitors who say nearly the same thing over and over: what is remembered of one head is not the next one's. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readAnswers } from './answers.ts'
import { handler, OK } from './handlers.ts'
import { site as siteOf } from './site.ts'
import { StandIn } from './stand-in.ts'

/** Says which request it was, and whether it was asked for by that very request. */
const tells = handler((exchange) => {
  const { line, fields } = exchange
  const i = fields.names.indexOf('x-mark')
  exchange.respond(OK, Buffer.from(`${line.method} ${line.path} ${fields.values[i] ?? '-'}`))
})

/** Of the same length as others, or one the beginning of another. */
const requests = fc.constantFrom(
  { head: 'GET /aa HTTP/1.1\r\nHost: a\r\nX-Mark: 1\r\n\r\n', answer: 'GET /aa 1' },
  { head: 'GET /ab HTTP/1.1\r\nHost: a\r\nX-Mark: 1\r\n\r\n', answer: 'GET /ab 1' },
  { head: 'GET /aa HTTP/1.1\r\nHost: a\r\nX-Mark: 2\r\n\r\n', answer: 'GET /aa 2' },
  { head: 'GET /aa HTTP/1.1\r\nHost: a\r\n\r\n', answer: 'GET /aa -' },
  { head: '\r\nGET /aa HTTP/1.1\r\nHost: a\r\nX-Mark: 1\r\n\r\n', answer: 'GET /aa 1' },
  { head: 'PUT /aa HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\r\n\r\n', answer: 'PUT /aa -' },
  {
    head: `GET /${'l'.repeat(3000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    answer: `GET /${'l'.repeat(3000)} -`,
  },
)

test('each is answered as itself, wherever the bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(requests, { minLength: 1, maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 40 }),
      fc.boolean(),
      async (asked, cuts, whole) => {
        const site = siteOf({ routes: { '/': tells } })
        const visitor = new StandIn(site.gateway)
        if (whole) for (const { head } of asked) visitor.send(Buffer.from(head, 'latin1'))
        else {
          let rest = Buffer.from(asked.map(({ head }) => head).join(''), 'latin1')
          for (const cut of cuts) {
            visitor.send(rest.subarray(0, cut))
            rest = rest.subarray(cut)
          }
          visitor.send(rest)
        }
        while (visitor.busy) await new Promise((resolve) => setImmediate(resolve))
        const { answers } = readAnswers(visitor.answer, [], false)
        expect(answers.map(({ body }) => body.toString())).toEqual(asked.map((a) => a.answer))
        visitor.leave()
        site.close()
      },
    ),
    { numRuns: 300 },
  )
})
