/** An application did not load. Whoever runs it has logged why, so logs need not say it again. */
export class LoadFailure extends Error {
  /** For a log that has the reason. */
  readonly brief: string

  /** `detail`: a traceback, or the reason with its remedy. */
  constructor(app: string, detail: string) {
    super(`application ${app} did not load: ${detail}`)
    this.brief = `application ${app} did not load, see above`
  }
}

/** What a log that has the reasons of load failures is to say of `error`. */
export function briefly(error: unknown): string {
  if (error instanceof LoadFailure) return error.brief
  return error instanceof Error ? error.message : String(error)
}
