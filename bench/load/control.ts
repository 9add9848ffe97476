/**
 * How the bench talks with its load clients: options as JSON in the first argument, one line `ready`
 * on stdout, the end of stdin as the sign to finish, and the result as the last line of JSON.
 */

export function options<Options>(): Options {
  return JSON.parse(process.argv[2] ?? '{}')
}

export function ready(): void {
  process.stdout.write('ready\n')
}

/** Calls back when the bench asks for the end, or is gone. */
export function onFinish(finish: () => void): void {
  process.stdin.on('end', finish).on('error', finish).resume()
}

export function result(value: unknown): void {
  process.stdout.write(JSON.stringify(value) + '\n', () => process.exit(0))
}
