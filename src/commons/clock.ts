/** One reading for everything that a read brings: commands that came together happen at one time. */

/** Later than any time. */
export const never: number = Number.POSITIVE_INFINITY

export class Clock {
  /** ms; does not jump when the machine's time is set. */
  now: number = performance.now()

  read(): void {
    this.now = performance.now()
  }
}
