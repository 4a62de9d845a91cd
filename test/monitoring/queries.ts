import { readFileSync } from 'node:fs'
import { DASHBOARDS, dashboardFile } from '../../grafana/code/dashboards.ts'
import { isRecord, textAt } from './narrowing.ts'

export interface PanelQuery {
  /** Dashboard / panel. */
  readonly panel: string
  readonly description: string
  readonly expr: string
}

/** Every query of every panel of the committed dashboards. */
export function panelQueries(): readonly PanelQuery[] {
  return DASHBOARDS.flatMap(({ name }) => {
    const dashboard: unknown = JSON.parse(readFileSync(dashboardFile(name), 'utf8'))
    return isRecord(dashboard) ? panelsOf(dashboard).flatMap((panel) => queriesOf(name, panel)) : []
  })
}

function panelsOf(holder: Record<string, unknown>): readonly Record<string, unknown>[] {
  const panels: unknown = holder['panels']
  if (!Array.isArray(panels)) return []
  return panels.filter(isRecord).flatMap((panel) => [panel, ...panelsOf(panel)])
}

function queriesOf(dashboard: string, panel: Record<string, unknown>): readonly PanelQuery[] {
  const targets: unknown = panel['targets']
  if (!Array.isArray(targets)) return []
  return targets.filter(isRecord).map((target) => ({
    panel: `${dashboard} / ${textAt(panel, 'title') ?? ''}`,
    description: textAt(panel, 'description') ?? '',
    expr: textAt(target, 'expr') ?? '',
  }))
}

/** Names of metrics in PromQL, those of histograms without their suffix. */
export function metricsIn(expr: string): readonly string[] {
  const bare = expr.replaceAll(/\{[^}]*\}/g, '').replaceAll(/\b(by|on) \([^)]*\)/g, '')
  return [...bare.matchAll(/\b(?:xcore|process|nodejs)_\w+|\bxcore:[\w:]+/g)].map(([name]) => {
    const histogram = /^(.*_seconds)_(?:bucket|sum|count)$/.exec(name)
    return histogram?.[1] ?? name
  })
}

/** What Grafana would send with every variable at “All”. */
export function withVariables(expr: string, range: string): string {
  return expr.replaceAll(/\$(plugin|instance)\b/g, '.*').replaceAll(/\$__(rate_interval|range)\b/g, range)
}
