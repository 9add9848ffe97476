/**
 * Requests that wait for a place at a full server, of all threads in one line: first come, first served. A
 * place that is given back is handed to the first in the line, whatever thread that is in, without having
 * been free in between; so nobody overtakes, and each place wakes one request.
 *
 * Memory, all Int32: a lock, how many wait, two ticket counters; then a ring of seats, one for each ticket. A seat is FREE, WAITING, LEFT by somebody who gave up, or a number from
 * GRANTED on, which says what place it was given. Behind the seats there is for each
 * what its owner waits for.
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
  return SEATS + 2 * seatsFor(size)
}

/** Whoever waits takes any place. */
export const ANY = 0

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
   * Takes a ticket for a place of a kind. `settled` is called once, later: with the number of the
   * place that was granted, or -1 after `timeoutMs` or `leave`. Null: the line is full.
   */
  wait(timeoutMs: number, settled: (place: number) => void, kind: number = ANY): Ticket | null {
    const cells = this.#cells
    this.#lock()
    const ticket = cells[TAIL]!
    const seat = this.#seat(ticket)
    if (cells[DEPTH]! >= this.#size || Atomics.load(cells, seat) !== FREE) {
      this.#unlock()
      return null
    }
    cells[seat + this.#ring] = kind
    Atomics.store(cells, seat, WAITING)
    cells[TAIL] = (ticket + 1) | 0
    Atomics.add(cells, DEPTH, 1)
    this.#unlock()
    const wait = Atomics.waitAsync(cells, seat, WAITING, timeoutMs)
    const over = (): void => settled(this.#leave(ticket))
    if (wait.async) void wait.value.then(over)
    else queueMicrotask(over)
    return {
      leave: () => {
        // Wakes ourselves, which gives up the seat.
        Atomics.notify(cells, seat, 1)
      },
    }
  }

  /** Gives a place of a kind to the first in the line that takes such a one; false: nobody does. */
  grant(place: number, kind: number = ANY): boolean {
    const cells = this.#cells
    this.#lock()
    for (let ticket = cells[HEAD]!; ticket !== cells[TAIL]; ticket = (ticket + 1) | 0) {
      const seat = this.#seat(ticket)
      const wanted = cells[seat + this.#ring]!
      if (cells[seat] !== WAITING || (wanted !== ANY && wanted !== kind)) continue
      Atomics.store(cells, seat, GRANTED + place)
      Atomics.sub(cells, DEPTH, 1)
      if (ticket === cells[HEAD]) this.#moveUp()
      this.#unlock()
      Atomics.notify(cells, seat, 1)
      return true
    }
    this.#unlock()
    return false
  }

  /** Its wait is over: what place it was given, or -1. The seat is not its own any more. */
  #leave(ticket: number): number {
    const cells = this.#cells
    const seat = this.#seat(ticket)
    this.#lock()
    const state = cells[seat]!
    if (state === WAITING) Atomics.sub(cells, DEPTH, 1)
    const stands = ((ticket - cells[HEAD]!) | 0) >= 0
    Atomics.store(cells, seat, stands ? LEFT : FREE)
    if (ticket === cells[HEAD]) this.#moveUp()
    this.#unlock()
    return state === WAITING ? -1 : state - GRANTED
  }

  /** The head of the line is the first that waits. */
  #moveUp(): void {
    const cells = this.#cells
    while (cells[HEAD] !== cells[TAIL]) {
      const seat = this.#seat(cells[HEAD]!)
      const state = cells[seat]!
      if (state === WAITING) return
      // Of one that has a place but does not know it yet, the seat is its own.
      if (state === LEFT) Atomics.store(cells, seat, FREE)
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
