/** Serving, however the site was named: `serve`, or in the guise of another server. */
import about from '../../package.json' with { type: 'json' }
import type { LoadedSite } from '../site/load.ts'
import { briefly } from '../supervisor/load-failure.ts'
import { createLogger, logOptions } from '../supervisor/logger.ts'
import type { Site } from '../supervisor/site.ts'
import { EXIT_FAILURE } from './exit.ts'

/** `json`: the supervisor's own log as JSON lines. Resolves with the exit code. */
export async function serveSite(load: () => Promise<LoadedSite>, json: boolean): Promise<number> {
  const options = logOptions(process.stderr, process.env)
  const logger = createLogger(
    process.stderr,
    json ? { ...options, format: 'json', colours: false } : options,
  )
  try {
    const [{ supervise }, { node }, { python }, { php }, { psgi }, { rack }, { container }] =
      await Promise.all([
        import('../supervisor/supervisor.ts'),
        import('../runtimes/node/runtime.ts'),
        import('../runtimes/python/runtime.ts'),
        import('../runtimes/php/runtime.ts'),
        import('../runtimes/perl/runtime.ts'),
        import('../runtimes/ruby/runtime.ts'),
        import('../runtimes/container/runtime.ts'),
      ])
    return await supervise({
      load: async () => siteOf(await load()),
      logger,
      runtimes: { node, python, php, psgi, rack, container },
      serverMain: new URL('../server/main.ts', import.meta.url).pathname,
      version: about.version,
    })
  } catch (error) {
    logger.error(briefly(error))
    return EXIT_FAILURE
  }
}

async function siteOf({ plan, description, warnings, outcomes }: LoadedSite): Promise<Site> {
  const { formatProblems } = await import('../site/problem.ts')
  const site = { plan, description, warnings: warnings.map((each) => formatProblems([each])) }
  if (outcomes.length === 0) return site
  const { outcomeLines } = await import('../import/outcome.ts')
  return {
    ...site,
    warnings: [...site.warnings, ...outcomeLines(outcomes, 'unsupported')],
    notes: outcomeLines(outcomes, 'needless'),
  }
}
