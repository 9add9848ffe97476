/** What says who a visitor is: said by us, nobody else may. */

const CLAIMS: readonly string[] = ['remote-user', 'auth-type', 'x-remote-user']

/**
 * Whether a visitor's own field of this name, in lower case, is taken out: one that says who it is, or one of
 * `more`. Servers that know fields as CGI variables take `X_User` for `X-User`, and PHP `X.User`: neither is a
 * way around.
 */
export function claimTest(more: readonly string[]): (name: string) => boolean {
  const all = new Set([...CLAIMS, ...more.map((name) => dashed(name.toLowerCase()))])
  return (name) => all.has(dashed(name))
}

/** One spelling for all names that become the same CGI variable. */
export function dashed(name: string): string {
  return /[._]/.test(name) ? name.replace(/[._]/g, '-') : name
}
