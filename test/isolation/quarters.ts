/** Quarters for what is tested without a site. */
import { Quarters } from '../../src/isolation/quarters.ts'
import type { AppPlan } from '../../src/site/plan.ts'
import type { Logger } from '../../src/supervisor/logger.ts'
import { Cgroups } from '../../src/system/cgroup.ts'

/** `folder`: where folders of its own are made, should it need any. */
export function quartersIn(
  folder: string,
  app: AppPlan,
  logger: Logger,
  links: readonly string[] = [],
): Quarters {
  return new Quarters({
    app,
    threads: Math.max(links.length, 1),
    credentials: null,
    links,
    log: `${folder}/log.sock`,
    commons: '',
    folder: `${folder}/1.0`,
    spool: () => folder,
    groups: null,
    cgroups: new Cgroups(),
    name: `portico-${process.pid}-1-${app.name}`,
    logger,
  })
}
