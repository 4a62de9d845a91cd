import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard'
import * as prometheus from '@grafana/grafana-foundation-sdk/prometheus'
import * as stat from '@grafana/grafana-foundation-sdk/stat'
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries'
import {
  ReduceDataOptionsBuilder,
  VizLegendOptionsBuilder,
  LegendDisplayMode,
  LegendPlacement,
} from '@grafana/grafana-foundation-sdk/common'

/** One query of a panel: PromQL, and how its series are named. */
export interface Query {
  readonly expr: string
  /** Default: the panel's title. */
  readonly legend?: string
}

export interface PanelOptions {
  readonly title: string
  /** What it shows, and what a bad value means. */
  readonly description: string
  /** Grafana's name: `s`, `bytes`, `percentunit`, `ops`, `short` … */
  readonly unit: string
  readonly queries: readonly Query[]
  /** Of 24 columns. Default: 4 for a number, 12 for a graph. */
  readonly span?: number
}

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' }

/** A graph over time. */
export function graph({ title, description, unit, queries, span = 12 }: PanelOptions): timeseries.PanelBuilder {
  const legend = new VizLegendOptionsBuilder().displayMode(LegendDisplayMode.List).placement(LegendPlacement.Bottom).showLegend(true)
  const panel = new timeseries.PanelBuilder()
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .unit(unit)
    .min(0)
    .fillOpacity(10)
    .legend(legend)
    .span(span)
    .height(8)
  for (const query of targets(title, queries)) panel.withTarget(query.range())
  return panel
}

/** The latest number, with what it was behind it. */
export function number({ title, description, unit, queries, span = 4 }: PanelOptions): stat.PanelBuilder {
  const panel = new stat.PanelBuilder()
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .unit(unit)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .span(span)
    .height(5)
  for (const query of targets(title, queries)) panel.withTarget(query.range())
  return panel
}

function targets(title: string, queries: readonly Query[]): prometheus.DataqueryBuilder[] {
  return queries.map(({ expr, legend }, index) =>
    new prometheus.DataqueryBuilder()
      .datasource(DATASOURCE)
      .refId(String.fromCharCode(65 + index))
      .expr(expr)
      .legendFormat(legend ?? title)
      .exemplar(expr.includes('_bucket')),
  )
}

export interface DashboardOptions {
  /** The file's name, and the end of its address. */
  readonly name: string
  readonly title: string
  readonly description: string
  /** Whether it has the variable `plugin`. */
  readonly byPlugin: boolean
  readonly rows: readonly { readonly title: string; readonly panels: readonly (timeseries.PanelBuilder | stat.PanelBuilder)[] }[]
}

export interface BuiltDashboard {
  readonly name: string
  readonly dashboard: dashboard.Dashboard
}

/** All dashboards choose the data source and instances, and link to each other. */
export function build({ name, title, description, byPlugin, rows }: DashboardOptions): BuiltDashboard {
  const builder = new dashboard.DashboardBuilder(`XCore / ${title}`)
    .uid(`xcore-${name}`)
    .description(description)
    .tags(['xcore'])
    .refresh('30s')
    .time({ from: 'now-1h', to: 'now' })
    .timezone('browser')
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .link(
      new dashboard.DashboardLinkBuilder('XCore')
        .type(dashboard.DashboardLinkType.Dashboards)
        .tags(['xcore'])
        .includeVars(true)
        .keepTime(true),
    )
    .withVariable(new dashboard.DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    .withVariable(labelVariable('instance', 'Instance', 'label_values(xcore_build_info, instance)'))
  if (byPlugin) builder.withVariable(labelVariable('plugin', 'Plugin', 'label_values(xcore_plugin_state, plugin)'))
  for (const row of rows) {
    builder.withRow(new dashboard.RowBuilder(row.title))
    for (const panel of row.panels) builder.withPanel(panel)
  }
  return { name, dashboard: builder.build() }
}

function labelVariable(name: string, label: string, query: string): dashboard.QueryVariableBuilder {
  return new dashboard.QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .query({ query, refId: name })
    .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
    .sort(dashboard.VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ text: 'All', value: '$__all' })
}
