import { eventLog } from './event-log.ts'
import { overview } from './overview.ts'
import { plugin } from './plugin.ts'
import { process } from './process.ts'
import { replay } from './replay.ts'

/** All dashboards; `grafana/dashboards/NAME.json` holds each as Grafana reads it. */
export const DASHBOARDS = [overview, plugin, eventLog, replay, process]

export function dashboardFile(name: string): URL {
  return new URL(`../dashboards/${name}.json`, import.meta.url)
}

export function dashboardText(dashboard: object): string {
  return `${JSON.stringify(dashboard, null, 2)}\n`
}
