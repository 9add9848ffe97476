import type { CommonAppPlan } from '../site/plan.ts'

/** The supervisor's environment and the application's own, which goes before it. */
export function wholeEnvironment(app: CommonAppPlan): Record<string, string> {
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries({ ...process.env, ...app.env })) {
    if (value !== undefined) env[name] = value
  }
  return env
}
