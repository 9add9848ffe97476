/** The seam between the bench and what it measures: a rival says which commands serve a site. */

/** What has to be served. Every rival serves the same thing, or says that it cannot. */
export type Site =
  | {
      readonly kind: 'wsgi'
      /** A module of bench/apps. Its callable is `application`. */
      readonly module: string
      readonly workers: number
    }
  /** The same over ASGI. */
  | { readonly kind: 'asgi'; readonly module: string; readonly workers: number }
  /** A folder with an index.php. */
  | { readonly kind: 'php'; readonly root: string; readonly workers: number }
  /** A folder of programs, of which so many may run at a time. */
  | { readonly kind: 'cgi'; readonly root: string; readonly programs: number }
  /** The fetch handler of bench/apps, or what does the same. */
  | { readonly kind: 'fetch' }
  | { readonly kind: 'files'; readonly root: string }
  | { readonly kind: 'fixed'; readonly body: string }
  | {
      readonly kind: 'proxy'
      readonly upstreamPort: number
      /** Answers are compressed, at this level. */
      readonly gzip?: number
    }
  /** Bytes passed on to that port, whatever they are. */
  | { readonly kind: 'tcp'; readonly upstreamPort: number }
  /** One pool of them. */
  | { readonly kind: 'pool'; readonly upstreamPorts: readonly number[] }

export interface Command {
  readonly argv: readonly string[]
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

export interface Rival {
  readonly name: string
  /** Peculiarities that a reader of the figures has to know. */
  readonly note?: string
  /** The version to print. Throws {@link Missing} when it is not on this machine. */
  version(): string
  /**
   * The commands that serve `site` on 127.0.0.1:`port`, the listening one last. Whatever they need
   * is written to `dir`. Access logs are off, for everybody.
   */
  serve(site: Site, dir: string, port: number): readonly Command[]
}

/** A rival that is not on this machine, with what would bring it here. */
export class Missing extends Error {
  readonly remedy: string

  constructor(what: string, remedy: string) {
    super(`${what} is missing: ${remedy}`)
    this.remedy = remedy
  }
}

/** For the branch of `serve` that a rival has no answer for: a mistake in a scenario. */
export function cannotServe(rival: string, site: Site): never {
  throw new Error(`${rival} cannot serve a ${site.kind} site`)
}
