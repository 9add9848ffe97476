/** `rewrite` → the Plan. */
import { parseTarget, type RuleTarget } from '../filters/rewrite/target.ts'
import type { Drawing } from './drawing.ts'
import type { RewritePlan, RewriteRule } from './filters-plan.ts'
import { type KeyPath, quote } from './problem.ts'
import { groupsOf, isLinear } from './regular.ts'
import type { RewriteRuleSettings, RewriteSettings } from './settings/rewrite.ts'

export function drawRewrite(
  drawing: Drawing,
  path: KeyPath,
  settings: RewriteSettings,
): RewritePlan {
  const plain = { status: 0, again: false }
  if (Array.isArray(settings)) {
    const rules = settings.map((rule, index) => draw(drawing, [...path, index], rule))
    return { strip: '', add: '', rules }
  }
  if (isPairs(settings)) {
    const rules = Object.entries(settings).map(([match, to]) =>
      draw(drawing, [...path, match], { ...plain, match, to }, true),
    )
    return { strip: '', add: '', rules }
  }
  const { strip, add } = settings
  const rules = settings.rules.map((rule, index) => draw(drawing, [...path, 'rules', index], rule))
  if (strip === '' && add === '' && rules.length === 0) {
    drawing.report.problem(path, 'nothing to do here', {
      expected: 'strip: /api, add: /v1, or rules',
      key: true,
    })
  }
  return { strip: strip.replace(/\/+$/, ''), add: add.replace(/\/+$/, ''), rules }
}

function isPairs(settings: RewriteSettings): settings is Record<string, string> {
  return !('rules' in settings && Array.isArray(settings.rules))
}

function draw(
  { report }: Drawing,
  path: KeyPath,
  rule: RewriteRuleSettings,
  isPair = false,
): RewriteRule {
  const { status, again } = rule
  const match = rule.match.replace(/^~/, '').trim()
  const at = isPair ? path : [...path, 'match']
  const to = isPair ? path : [...path, 'to']
  let groups = 0
  try {
    groups = groupsOf(match)
    if (!isLinear(match)) {
      const why =
        'how long this expression may take has no bound: it looks around, refers back or repeats a lot'
      report.warning(at, `${why}. Paths of more than 512 bytes do not match it`, { key: isPair })
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : ''
    report.problem(at, `not a regular expression: ${why}`, { key: isPair })
  }
  let target: RuleTarget | null = null
  try {
    target = parseTarget(rule.to)
  } catch (error) {
    report.problem(to, error instanceof Error ? error.message : String(error))
  }
  if (target !== null && target.captures > groups) {
    report.problem(to, `$${target.captures} stands for nothing: there are ${groups} groups`)
  }
  if (target !== null && target.authority !== null && status === 0) {
    report.problem(to, `${quote(rule.to)} is a URL: nobody but the visitor can go there`, {
      expected: 'status: 302 beside it, or a path',
    })
  }
  if (status !== 0 && again) {
    report.problem([...path, 'again'], 'the visitor asks anew by itself', {
      expected: 'status or again',
      key: true,
    })
  }
  return { match, to: rule.to, status, again }
}
