import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { describe, test } from 'node:test'
import { DASHBOARDS, dashboardFile, dashboardText } from '../../grafana/code/dashboards.ts'
import { METRIC_CATALOGUE, createMetrics } from '../../libs/telemetry/index.ts'
import { metricsIn, panelQueries } from '../monitoring/queries.ts'
import { alerts, rules } from '../monitoring/rules.ts'

const EXPORTED: readonly string[] = createMetrics({ processMetrics: true })
  .registry.getMetricsAsArray()
  .map(({ name }) => name)

describe('dashboards', () => {
  test('the committed files are what the code makes, and no others', () => {
    for (const { name, dashboard } of DASHBOARDS)
      assert.equal(readFileSync(dashboardFile(name), 'utf8'), dashboardText(dashboard), `${name}.json is old: npm run dashboards`)
    assert.deepEqual(readdirSync(new URL('.', dashboardFile('any'))).sort(), DASHBOARDS.map(({ name }) => `${name}.json`).sort())
  })

  test('every metric that a panel or a rule queries is exported', () => {
    const queried = [...panelQueries().map(({ expr }) => expr), ...rules().map(({ expr }) => expr)].flatMap(metricsIn)
    for (const name of queried) if (!name.includes(':') && name !== 'up') assert.ok(EXPORTED.includes(name), `nobody exports ${name}`)
  })

  test('every metric of XCore is shown somewhere', () => {
    const shown = new Set(panelQueries().flatMap(({ expr }) => metricsIn(expr)))
    for (const { name } of Object.values(METRIC_CATALOGUE)) assert.ok(shown.has(name), `no panel shows ${name}`)
  })

  test('every panel says what it shows', () => {
    for (const { panel, description } of panelQueries()) assert.ok(description.length > 0, panel)
  })
})

describe('runbooks', () => {
  const folder = new URL('../../docs/runbooks/', import.meta.url)

  test('every alert has one, and every one has an alert', () => {
    const linked = new Set<string>()
    for (const { name, runbook } of alerts()) {
      const page = runbook.replace('docs/runbooks/', '')
      linked.add(page)
      assert.ok(readFileSync(new URL(page, folder), 'utf8').includes(`\`${name}\``), `${page} does not name ${name}`)
    }
    const pages = readdirSync(folder).filter((page) => page !== 'README.md')
    assert.deepEqual(pages.sort(), [...linked].sort())
  })

  test('the list of runbooks names every alert', () => {
    const list = readFileSync(new URL('README.md', folder), 'utf8')
    for (const { name, runbook } of alerts())
      assert.ok(list.includes(`| \`${name}\` |`) && list.includes(runbook.replace('docs/runbooks/', '')), name)
  })
})
