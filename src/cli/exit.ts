/** Exit codes. 0 is success. */
export const EXIT_FAILURE = 1
/** The command line was not understood. */
export const EXIT_USAGE = 2
