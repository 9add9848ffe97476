/** What stands before a route's handler. */
import { drawAuth } from './draw-auth.ts'
import { drawCompress, drawCors } from './draw-compress.ts'
import { drawHeaders, drawRequestHeaders, isLong } from './draw-edits.ts'
import { drawErrors, drawMaintenance } from './draw-maintenance.ts'
import type { Pools } from './draw-pools.ts'
import { drawRewrite } from './draw-rewrite.ts'
import type { Drawing } from './drawing.ts'
import type {
  AccessPlan,
  ErrorsPlan,
  FiltersPlan,
  LimitKeyPlan,
  LimitPlan,
} from './filters-plan.ts'
import { nearest } from './nearest.ts'
import { parseNetwork } from './networks.ts'
import { type KeyPath, quote, showPath } from './problem.ts'
import {
  type CommonSettings,
  type FilterSettings,
  type LimitSettings,
  parseLimit,
} from './settings/filters.ts'
import type { ErrorsForm } from './settings/maintenance.ts'
import { namesAt, nodeAt } from './tree.ts'
import { parseRate } from './units.ts'

/** Longest that a request may be held back, ms: then its visitor has long given up. */
const LONGEST_DELAY_MS = 60_000

/** Draws the filters of routes. */
export class Filters {
  readonly #drawing: Drawing
  /** The first limit of each shared name. */
  readonly #shared = new Map<string, LimitPlan>()

  readonly #pools: Pools
  /** What is said of all routes of a host, and where. */
  readonly #hosts = new Map<string, readonly [KeyPath, Partial<CommonSettings>]>()

  readonly #errors = new Map<ErrorsForm, ErrorsPlan>()

  /** `nameOf`: a host's name as it comes in a request. */
  constructor(drawing: Drawing, pools: Pools, nameOf: (text: string) => string | undefined) {
    this.#drawing = drawing
    this.#pools = pools
    const known = Object.keys(drawing.settings.hosts)
    for (const [text, filters] of Object.entries(drawing.settings.filters.hosts)) {
      const path = ['filters', 'hosts', text]
      const name = nameOf(text)
      if (name === undefined || (name !== '*' && !known.some((each) => nameOf(each) === name))) {
        drawing.report.problem(path, `no such host: ${quote(text)}`, {
          nearest: nearest(text, known),
          expected: 'one of hosts',
          key: true,
        })
      } else this.#hosts.set(name, [path, filters])
    }
  }

  /** Undefined where the route has none. */
  draw(path: KeyPath, settings: FilterSettings, host: string): FiltersPlan | undefined {
    const limits = this.#limits([...path, 'limit'], settings.limit)
    const access = this.#access(path, settings)
    const { auth, rewrite } = settings
    const plan: FiltersPlan = {
      ...(limits.length === 0 ? {} : { limits }),
      ...(access === undefined ? {} : { access }),
      ...(settings['client-certificate'] ? { certificate: true } : {}),
      ...(auth === undefined
        ? {}
        : drawAuth(this.#drawing, [...path, 'auth'], auth, access, this.#pools)),
      ...(rewrite === undefined
        ? {}
        : { rewrite: drawRewrite(this.#drawing, [...path, 'rewrite'], rewrite) }),
      ...this.#common(path, settings, host),
    }
    return Object.keys(plan).length === 0 ? undefined : plan
  }

  /** What a route does not say itself is said for all. */
  #common(path: KeyPath, settings: FilterSettings, host: string): FiltersPlan {
    const drawing = this.#drawing
    const everywhere = drawing.settings.filters
    const [at, ofHost] = this.#hosts.get(host) ?? [[], {}]
    const drawn = <Key extends keyof CommonSettings, Plan>(
      key: Key,
      own: CommonSettings[Key],
      draw: (drawing: Drawing, path: KeyPath, form: NonNullable<CommonSettings[Key]>) => Plan,
    ): Plan | undefined => {
      for (const [from, form] of [
        [path, own],
        [at, ofHost[key]],
        [['filters'], everywhere[key]],
      ] as const) {
        if (form !== undefined) return draw(drawing, [...from, key], form)
      }
      return undefined
    }
    // The fields of a fixed answer are its handler's.
    const fixed = 'respond' in settings
    const own = settings.headers
    const headers = fixed && own !== undefined && !isLong(own) ? undefined : own
    const all = {
      headers: drawn('headers', headers, drawHeaders),
      requestHeaders: drawn('request-headers', settings['request-headers'], drawRequestHeaders),
      cors: drawn('cors', settings.cors, drawCors),
      compress: drawn('compress', settings.compress, drawCompress),
      maintenance: drawn('maintenance', settings.maintenance, drawMaintenance),
      errors: drawn('errors', settings.errors, (_, at, form) => this.#drawErrors(at, form)),
    }
    return Object.fromEntries(Object.entries(all).filter(([, each]) => each !== undefined))
  }

  /** Pages for what no route of a host takes; null: no host does. */
  errors(host: string | null): { readonly errors?: ErrorsPlan } {
    const [at, ofHost] = this.#hosts.get(host ?? '') ?? [[], {}]
    const everywhere = this.#drawing.settings.filters.errors
    if (ofHost.errors !== undefined) {
      return { errors: this.#drawErrors([...at, 'errors'], ofHost.errors) }
    }
    return everywhere === undefined
      ? {}
      : { errors: this.#drawErrors(['filters', 'errors'], everywhere) }
  }

  /** Once, so that what is wrong with them is said once. */
  #drawErrors(path: KeyPath, form: ErrorsForm): ErrorsPlan {
    const known = this.#errors.get(form)
    if (known !== undefined) return known
    const drawn = drawErrors(this.#drawing, path, form)
    this.#errors.set(form, drawn)
    return drawn
  }

  #access(path: KeyPath, { allow, deny }: FilterSettings): AccessPlan | undefined {
    if (allow === undefined && deny === undefined) return undefined
    if (allow?.length === 0) {
      const expected = 'deny: all, if nobody is to be let in'
      this.#drawing.report.problem([...path, 'allow'], 'an empty list', { expected })
    }
    return {
      allow: this.#networks([...path, 'allow'], allow ?? []),
      deny: this.#networks([...path, 'deny'], deny ?? []),
    }
  }

  #networks(path: KeyPath, texts: readonly string[]): string[] {
    const isList = nodeAt(this.#drawing.root, path)?.kind === 'list'
    return texts.flatMap((text, index) => {
      const network = text === 'unix' || text === 'all' ? text : parseNetwork(text)
      if (network !== undefined) return [network]
      const expected = 'an address, a network such as 10.0.0.0/8, unix or all'
      this.#drawing.report.problem(isList ? [...path, index] : path, 'not a network', { expected })
      return []
    })
  }

  #limits(path: KeyPath, settings: FilterSettings['limit']): LimitPlan[] {
    if (settings === undefined) return []
    if (!Array.isArray(settings)) return this.#limit(path, settings)
    return settings.flatMap((each, index) => this.#limit([...path, index], each))
  }

  #limit(path: KeyPath, form: string | LimitSettings): LimitPlan[] {
    const { report } = this.#drawing
    if (typeof form === 'string' && parseRate(form) === undefined) {
      report.problem(path, 'wrong value', { expected: 'a rate such as 100/s, 5/m or 1/10s' })
      return []
    }
    const settings = typeof form === 'string' ? parseLimit({ rate: form }) : form
    const { rate, concurrency, share, answer, tell, keys } = settings
    if (rate === undefined && concurrency === 0) {
      const given = namesAt(this.#drawing.root, path)
      // Of what was wrong it has been said.
      if (!given.some((key) => report.isBroken([...path, key]))) {
        const expected = 'rate: 100/s, or concurrency: 20, or both'
        report.problem(path, 'nothing is limited', { expected, key: true })
      }
      return []
    }
    const burst = rate === undefined ? 0 : settings.burst || rate.count
    const intervalMs = rate === undefined ? 0 : rate.perMs / rate.count
    const prompt = settings.delay === 0 ? burst : Math.min(settings.delay, burst)
    if ((burst - prompt) * intervalMs > LONGEST_DELAY_MS) {
      const seconds = Math.round(((burst - prompt) * intervalMs) / 1000)
      report.problem([...path, 'delay'], `the last of a burst would wait for ${seconds}s`, {
        expected: 'a smaller burst, so that nobody waits longer than a minute',
      })
    }
    if (rate === undefined) {
      for (const key of ['burst', 'delay', 'tell'] as const) {
        if (nodeAt(this.#drawing.root, [...path, key]) === undefined) continue
        report.problem([...path, key], `${quote(key)} goes with ${quote('rate')}`, { key: true })
      }
    }
    const plan: LimitPlan = {
      table: share === '' ? showPath(path) : `share ${share}`,
      by: this.#key([...path, 'by'], settings.by),
      intervalMs,
      burst,
      prompt,
      concurrency,
      status: answer === 503 ? 503 : 429,
      tell,
      keys,
    }
    if (share !== '') this.#join([...path, 'share'], share, plan)
    return [plan]
  }

  /** Limits that count together have to count the same. */
  #join(path: KeyPath, share: string, plan: LimitPlan): void {
    const first = this.#shared.get(share)
    if (first === undefined) return void this.#shared.set(share, plan)
    const same =
      first.intervalMs === plan.intervalMs &&
      first.keys === plan.keys &&
      first.by.of === plan.by.of &&
      first.by.name === plan.by.name
    if (same) return
    const message = `the first limit that shares ${quote(share)} has another rate, by or keys`
    this.#drawing.report.problem(path, message, { expected: 'the same, or another name' })
  }

  #key(path: KeyPath, text: string): LimitKeyPlan {
    const [of = '', ...rest] = text.split(':')
    const name = rest.join(':')
    if (name === '' && rest.length === 0) {
      if (of === 'address' || of === 'host' || of === 'everyone') return { of, name: '' }
    } else if ((of === 'header' || of === 'cookie') && NAME.test(name)) {
      return { of, name: of === 'header' ? name.toLowerCase() : name }
    }
    const meant = nearest(text, ['address', 'host', 'everyone'])
    const expected = 'address, host, header:NAME, cookie:NAME or everyone'
    this.#drawing.report.problem(path, `no such key: ${quote(text)}`, { nearest: meant, expected })
    return { of: 'everyone', name: '' }
  }
}

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
