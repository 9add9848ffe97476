/** Loads one site in a process of its own: the test runner's own loader would read programs its way. */
import { loadSite } from '../../src/site/load.ts'
import { SiteError } from '../../src/site/problem.ts'

const [target = '', cwd = '', environment = '{}'] = process.argv.slice(2)
try {
  const { plan } = await loadSite(target, {}, { cwd, environment: JSON.parse(environment) })
  process.stdout.write(JSON.stringify({ plan }))
} catch (error) {
  if (!(error instanceof SiteError)) throw error
  process.stdout.write(JSON.stringify({ message: error.message }))
}
