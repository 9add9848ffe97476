/** Bytes that were written on all of this thread's light streams, and that the kernel has not taken. */
export const unsent: { bytes: number } = { bytes: 0 }
