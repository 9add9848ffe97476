/** A target of the command line → a checked Plan, or every reason why there is none. */
import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Outcome } from '../import/outcome.ts'
import { detect } from './detect.ts'
import { drawPlan, type Origin } from './draw.ts'
import type { Drawing } from './drawing.ts'
import { type Overrides, override } from './overrides.ts'
import type { SitePlan } from './plan.ts'
import { type Problem, SiteError, sortProblems } from './problem.ts'
import { readSite, type SiteText } from './read-site.ts'
import { Report, TreeReport } from './report.ts'
import { type MapNode, type Node, treeOf } from './tree.ts'
import { validate } from './validate.ts'

export interface LoadedSite {
  readonly plan: SitePlan
  /** What the target was found to be, in one line: `Django project: mysite.wsgi:application`. */
  readonly description: string
  readonly warnings: readonly Problem[]
  /** What the Plan was drawn from. */
  readonly root: MapNode
  /** What became of each setting of another server's configuration. */
  readonly outcomes: readonly Outcome[]
}

/** The world around a target; the process' own unless a test says otherwise. */
export interface Surroundings {
  readonly cwd?: string
  readonly environment?: Readonly<Record<string, string | undefined>>
}

/**
 * Reads `target`: a site file, a folder, or `module:callable`; '' is the current folder. Opens no socket
 * and creates nothing. Throws one SiteError with everything that is wrong.
 */
export async function loadSite(
  target: string,
  overrides: Overrides = {},
  surroundings: Surroundings = {},
): Promise<LoadedSite> {
  const { cwd = process.cwd(), environment = process.env } = surroundings
  const report = new Report()
  const found = detect(target, cwd)
  if ('target' in found) {
    const imported = await importFile(found.kind, found.target, cwd, environment, report)
    const { file, identity, description } = found
    return loadTree({ ...imported, file, identity, description }, overrides, report, surroundings)
  }
  const { root, sources } =
    found.kind === 'file'
      ? await readSite(found.file, environment, report)
      : treeOfDetected(found.settings, found.reason, found.base)
  return loadTree(
    {
      root,
      sources,
      description: found.description,
      file: found.kind === 'file' ? found.file : '',
      identity: found.kind === 'file' ? found.file : found.identity,
    },
    overrides,
    report,
    surroundings,
  )
}

/** Another server's configuration. */
async function importFile(
  kind: 'uwsgi' | 'gunicorn',
  target: string,
  cwd: string,
  environment: Readonly<Record<string, string | undefined>>,
  report: Report,
): Promise<Pick<ReadTree, 'root' | 'sources' | 'outcomes' | 'watch'>> {
  if (kind === 'gunicorn') {
    const { loadGunicorn } = await import('../import/gunicorn/load.ts')
    return loadGunicorn(['-c', target], cwd, environment, report)
  }
  const { loadUwsgiFile } = await import('../import/uwsgi/load.ts')
  return loadUwsgiFile(target, cwd, environment, report)
}

/** A site that was read, from whatever it was read. */
export interface ReadTree extends SiteText {
  readonly description: string
  /** The file that decides it, or ''. */
  readonly file: string
  /** A path that names the site, for its admin socket. */
  readonly identity: string
  /** What became of the settings of another server. */
  readonly outcomes?: readonly Outcome[]
  /** Restart when the code changes. */
  readonly watch?: boolean
}

/** The Plan of a tree. Throws one SiteError with everything that is wrong. */
export async function loadTree(
  read: ReadTree,
  overrides: Overrides,
  report: Report,
  surroundings: Surroundings = {},
): Promise<LoadedSite> {
  const { cwd = process.cwd(), environment = process.env } = surroundings
  const { root, sources } = read
  // What a reader could not make sense of says nothing about the rest of the file.
  if (root === undefined) throw new SiteError(report.problems)
  const changed = override(root, overrides, cwd)
  const { settings, broken } = validate(changed, report)
  const drawing: Drawing = {
    settings,
    root: changed,
    report: new TreeReport(report, changed, broken),
    environment,
  }
  const origin: Origin = {
    file: read.file,
    sources,
    identity: realPath(read.identity),
    watch: overrides.watch ?? read.watch ?? false,
  }
  const plan = drawPlan(drawing, origin)
  if (plan.user !== '') await checkUser(drawing)
  if (report.problems.length > 0) throw new SiteError(report.problems)
  return {
    plan,
    root: changed,
    description: read.description,
    warnings: sortProblems(report.warnings),
    outcomes: read.outcomes ?? [],
  }
}

function treeOfDetected(settings: object, reason: string, base: string): SiteText {
  const root: Node = treeOf(settings, { file: reason, text: '', base })
  return { root: root.kind === 'map' ? root : undefined, sources: [] }
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return resolve(path)
  }
}

/** Looking up users loads the bindings to the C library: only for who needs it. */
async function checkUser({ settings, report }: Drawing): Promise<void> {
  const { findCredentials } = await import('../system/users.ts')
  for (const key of ['user', 'group'] as const) {
    if (settings[key] === '') continue
    try {
      findCredentials(key === 'user' ? settings.user : '0', key === 'group' ? settings.group : '')
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      report.problem([key], message.replace(/^(user|group): /, ''))
    }
  }
}
