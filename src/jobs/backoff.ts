/** How long to wait before the next try. */

/** Longest wait between two attempts of a job, ms. */
export const LONGEST_RETRY_MS = 3_600_000

/**
 * After the `failures`-th failure: `firstMs`, twice that, four times … `longestMs`, of which a part between
 * one half and the whole, so that what failed together is not tried together. `random` is in [0, 1).
 */
export function retryDelay(
  failures: number,
  firstMs: number,
  longestMs: number,
  random: number,
): number {
  const whole = Math.min(longestMs, firstMs * 2 ** Math.min(Math.max(failures - 1, 0), 40))
  return Math.round(whole * (0.5 + random / 2))
}
