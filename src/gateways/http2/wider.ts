/**
 * What all visitors of this thread together may send beyond their first windows, before anything of it is
 * taken: a window that was opened wider is memory that its visitor may fill whenever it likes.
 */
const MOST = 67_108_864

let given = 0

/** Takes so many bytes out of what is left. False: there is less. */
export function reserve(bytes: number): boolean {
  if (given + bytes > MOST) return false
  given += bytes
  return true
}

export function giveBack(bytes: number): void {
  given -= bytes
}

/** What is given out at present, bytes. */
export function reserved(): number {
  return given
}
