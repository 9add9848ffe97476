/**
 * Requests that wait for a place at a full server, of all threads in one line: first come, first served. A
 * place that is given back is handed to the first in the line, whatever thread that is in, without having
 * been free in between; so nobody overtakes, and each place wakes one request.
 *
 * Memory, all Int32: a lock, how many wait, two ticket counters; then a ring of seats, one for each ticket. A seat is FREE, WAITING, LEFT by somebody who gave up, or a number from
 * GRANTED on, which says what place it was given.
 */
const LOCK = 0
const DEPTH = 1
/** The ticket of the first in the line, and that of the next to come. */
const HEAD = 2
const TAIL = 3
const SEATS = 4

const FREE = 0
const WAITING = 1
const LEFT = 2
const GRANTED = 3

/** Then whoever has the lock was taken off its core: let it go on. */
const MOST_SPINS = 2_000
const REST_MS = 1

/** Shared Int32 places that a line of `size` needs. */
export function placesCells(size: number): number {
  return SEATS + seatsFor(size)
}

/** Some more, for those who gave up in its midst; a power of two, so that tickets may overflow. */
function seatsFor(size: number): number {
  return 2 ** Math.ceil(Math.log2(2 * size + 16))
}

/** Somebody who waits. */
export interface Ticket {
  /** It gives up: it is told so, or of a place that it was given meanwhile. */
  leave(): void
}

export class Places {
  readonly #cells: Int32Array<SharedArrayBuffer>
  readonly #size: number
  readonly #ring: number

  constructor(cells: Int32Array<SharedArrayBuffer>, size: number) {
    this.#cells = cells
    this.#size = size
    this.#ring = seatsFor(size)
  }

  /** How many wait. Hot. */
  get depth(): number {
    return Atomics.load(this.#cells, DEPTH)
  }

  /**
   * Takes a ticket. `settled` is called once, later: with the number of the place that was granted, or -1
   * after `timeoutMs` or `leave`. Null: the line is full.
   */
  wait(timeoutMs: number, settled: (place: number) => void): Ticket | null {
    const cells = this.#cells
    this.#lock()
    const ticket = cells[TAIL]!
    const seat = this.#seat(ticket)
    if (cells[DEPTH]! >= this.#size || Atomics.load(cells, seat) !== FREE) {
      this.#unlock()
      return null
    }
    Atomics.store(cells, seat, WAITING)
    cells[TAIL] = (ticket + 1) | 0
    Atomics.add(cells, DEPTH, 1)
    this.#unlock()
    const wait = Atomics.waitAsync(cells, seat, WAITING, timeoutMs)
    const over = (): void => settled(this.#leave(seat))
    if (wait.async) void wait.value.then(over)
    else queueMicrotask(over)
    return {
      leave: () => {
        // Wakes ourselves, which gives up the seat.
        Atomics.notify(cells, seat, 1)
      },
    }
  }

  /** Gives the first in the line a place; false: nobody waits. */
  grant(place: number): boolean {
    const cells = this.#cells
    this.#lock()
    for (;;) {
      const ticket = cells[HEAD]!
      if (ticket === cells[TAIL]) break
      cells[HEAD] = (ticket + 1) | 0
      const seat = this.#seat(ticket)
      if (Atomics.compareExchange(cells, seat, LEFT, FREE) === LEFT) continue
      Atomics.store(cells, seat, GRANTED + place)
      Atomics.sub(cells, DEPTH, 1)
      this.#unlock()
      Atomics.notify(cells, seat, 1)
      return true
    }
    this.#unlock()
    return false
  }

  /** Its wait is over: what place it was given, or -1. The seat is not its own any more. */
  #leave(seat: number): number {
    const cells = this.#cells
    this.#lock()
    const state = cells[seat]!
    if (state === WAITING) {
      Atomics.store(cells, seat, LEFT)
      Atomics.sub(cells, DEPTH, 1)
      this.#skipLeft()
    } else Atomics.store(cells, seat, FREE)
    this.#unlock()
    return state === WAITING ? -1 : state - GRANTED
  }

  /** Seats at the head that nobody waits in are free again. */
  #skipLeft(): void {
    const cells = this.#cells
    while (cells[HEAD] !== cells[TAIL]) {
      const seat = this.#seat(cells[HEAD]!)
      if (Atomics.compareExchange(cells, seat, LEFT, FREE) !== LEFT) return
      cells[HEAD] = (cells[HEAD]! + 1) | 0
    }
  }

  #seat(ticket: number): number {
    return SEATS + ((ticket >>> 0) % this.#ring)
  }

  /** Nothing that may throw or wait comes before `unlock`. */
  #lock(): void {
    for (let spins = 0; Atomics.compareExchange(this.#cells, LOCK, 0, 1) !== 0; spins++) {
      if (spins > MOST_SPINS) Atomics.wait(this.#cells, LOCK, 1, REST_MS)
    }
  }

  #unlock(): void {
    Atomics.store(this.#cells, LOCK, 0)
  }
}
