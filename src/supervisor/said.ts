/** What something that was thrown says. */
export function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
