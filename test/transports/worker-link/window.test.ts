/** How many requests may stand in one worker's hands. */
import { expect, test } from 'vitest'
import { Window } from '../../../src/transports/worker-link/window.ts'

function serve(window: Window, requests: number, us = 10): void {
  for (let n = 0; n < requests; n++) window.served(us)
}

test('it opens for fast requests, and shuts for a slow one', () => {
  const window = new Window()
  expect(window.size).toBe(1)
  serve(window, 10_000)
  expect(window.size).toBeGreaterThan(20)
  window.served(6_000)
  expect(window.size).toBe(1)
  serve(window, 1_000)
  expect(window.size).toBe(4)
})

test('where a request has never ended, it stays shut for long', () => {
  const window = new Window()
  serve(window, 10_000)
  window.close()
  serve(window, 1_000)
  window.served(6_000)
  serve(window, 99_000)
  expect(window.size).toBe(1)
  serve(window, 1_000)
  expect(window.size).toBeGreaterThan(1)
})
