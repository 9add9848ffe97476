/** Sizes of Maglev's table: primes, as the kernel has them (ip_vs_mh). */
export const MAGLEV_SIZES: readonly number[] = [
  251, 509, 1021, 2039, 4093, 8191, 16_381, 32_749, 65_521, 131_071,
]
