/** What a backend says to the server before it, taken out of its answers. */
import { describe, expect, it } from 'vitest'
import { withoutOrders } from '../../src/request/orders.ts'

describe('withoutOrders', () => {
  it('takes out the order and the others of its family', () => {
    expect(
      withoutOrders('A: 1\r\nx-accel-redirect: \t /a b \t\r\nX-Accel-Expires:5\r\nB: 2\r\n'),
    ).toEqual({
      fields: 'A: 1\r\nB: 2\r\n',
      orders: 'x-accel-redirect: \t /a b \t\r\nX-Accel-Expires:5\r\n',
      file: { by: 'X-Accel-Redirect', path: '/a b' },
    })
  })

  it('has the first count, and an empty one be none', () => {
    expect(
      withoutOrders('X-Sendfile: \r\nX-Sendfile: /a\r\nX-Accel-Redirect: /b\r\n').file,
    ).toEqual({
      by: 'X-Sendfile',
      path: '/a',
    })
    expect(withoutOrders('A: x-accel-redirect: /a\r\n')).toEqual({
      fields: 'A: x-accel-redirect: /a\r\n',
    })
  })

  it('takes no longer for a path that is full of blanks', () => {
    const path = `/a${' '.repeat(60_000)}b`
    const began = performance.now()
    expect(withoutOrders(`X-Sendfile: ${path}\r\n`).file?.path).toBe(path)
    expect(performance.now() - began).toBeLessThan(200)
  })
})
