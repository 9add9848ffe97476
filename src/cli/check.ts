/** `portico check`: everything that is wrong with a site, before it is served. */
import type { Command } from 'commander'
import type { LoadedSite } from '../site/load.ts'
import type { SitePlan } from '../site/plan.ts'
import { formatProblems, type Problem, SiteError } from '../site/problem.ts'
import { locate } from '../site/tree.ts'

interface Options {
  readonly json?: true
  readonly plan?: true
}

const EXAMPLES = `
TARGET is a site file, a folder, module:callable, or a configuration of uWSGI or Gunicorn (app.ini,
gunicorn.conf.py); without one, the current folder.

Examples:
  portico check                       the site of this folder
  portico check /etc/portico/site.yaml
  portico check --plan shop:app       what would be served, with every default
  portico check uwsgi.ini             what becomes of each of its options
  portico check --json site.yaml      problems as JSON, for editors and CI

Exit codes: 0 the site is good, 1 it has problems.
`

export function checkCommand(program: Command): void {
  program
    .command('check')
    .description('say everything that is wrong with a site')
    .argument('[target]', 'site file, folder, or module:callable', '.')
    .option('--json', 'print the result as JSON')
    .option('--plan', 'print the resolved site as JSON; values of variables are left out')
    .addHelpText('after', EXAMPLES)
    .action(async (target: string, options: Options) => {
      process.exitCode = await check(target, options)
    })
}

async function check(target: string, options: Options): Promise<number> {
  const { loadSite } = await import('../site/load.ts')
  try {
    const loaded = await loadSite(target)
    if (options.json === true) printJson([], loaded, options.plan === true)
    else {
      printProblems(loaded.warnings, 'warning: ')
      if (options.plan === true) process.stdout.write(showPlan(loaded.plan))
      else {
        await printOutcomes(loaded)
        process.stdout.write(summary(loaded))
      }
    }
    return 0
  } catch (error) {
    if (!(error instanceof SiteError)) throw error
    if (options.json === true) printJson(error.problems, undefined, false)
    else {
      printProblems(error.problems, '')
      const count = error.problems.length
      process.stderr.write(`${count} ${count === 1 ? 'problem' : 'problems'}\n`)
    }
    return 1
  }
}

/** What became of each setting of another server's configuration. */
async function printOutcomes({ outcomes }: LoadedSite): Promise<void> {
  if (outcomes.length === 0) return
  const { showOutcomes } = await import('../import/outcome.ts')
  const { relative } = await import('node:path')
  const short = (file: string): string => {
    const near = file.startsWith('/') ? relative(process.cwd(), file) : file
    return near.startsWith('..') ? file : near
  }
  process.stdout.write(showOutcomes(outcomes, short))
}

/** With the line and a caret where a person reads it. */
function printProblems(problems: readonly Problem[], prefix: string): void {
  for (const problem of problems) {
    process.stderr.write(`${prefix}${formatProblems([problem], process.stderr.isTTY)}\n`)
  }
}

function printJson(
  problems: readonly Problem[],
  loaded: LoadedSite | undefined,
  withPlan: boolean,
): void {
  const result = {
    ok: problems.length === 0,
    description: loaded?.description ?? '',
    problems: problems.map(withoutExcerpt),
    warnings: (loaded?.warnings ?? []).map(withoutExcerpt),
    ...(loaded !== undefined && loaded.outcomes.length > 0
      ? {
          outcomes: loaded.outcomes.map(({ name, kind, text, place }) => ({
            name,
            kind,
            text,
            file: place.source.file,
            line: locate(place).line,
          })),
        }
      : {}),
    ...(withPlan && loaded !== undefined ? { plan: withoutSecrets(loaded.plan) } : {}),
  }
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
}

/** The line of the file may hold a password; the place is enough for a program. */
function withoutExcerpt({ excerpt: _, ...rest }: Problem): Omit<Problem, 'excerpt'> {
  return rest
}

function showPlan(plan: SitePlan): string {
  return `${JSON.stringify(withoutSecrets(plan), null, 2)}\n`
}

/** An application's variables are where passwords are: their names are shown, their values are not. */
function withoutSecrets(plan: SitePlan): SitePlan {
  const hidden = (env: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.keys(env).map((name) => [name, '…']))
  const apps = Object.entries(plan.apps).map(([name, app]) => [
    name,
    { ...app, env: hidden(app.env) },
  ])
  return { ...plan, apps: Object.fromEntries(apps) }
}

function summary({ plan, description }: LoadedSite): string {
  const routes = plan.hosts.reduce((count, host) => count + host.routes.length, 0)
  const counts = [
    [plan.listeners.length, 'listener'],
    [plan.hosts.length, 'host'],
    [routes, 'route'],
    [Object.keys(plan.apps).length, 'application'],
    [Object.keys(plan.pools).length, 'pool'],
  ] as const
  const facts = counts
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${count} ${what}${count === 1 ? '' : 's'}`)
  return `${description}: good (${facts.join(', ')})\n`
}
